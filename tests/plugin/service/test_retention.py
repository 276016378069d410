import shutil
import time
from contextlib import closing
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from plugin.config.service_settings import Retention
from plugin.config.settings import Settings
from plugin.intake.database.submitted import JobRow
from plugin.intake.index import AcquisitionRow, ImageRow
from plugin.intake.spool import Spool
from plugin.jobs.delivery.deliveries import Attempt
from plugin.jobs.queue import client, prepare_database
from plugin.service import retention
from plugin.service.retention import Keeper
from tests.support.job_rows import add_job, set_status


@pytest.fixture
def settings(tmp_path):
    """A spool with a delivered, an undelivered, an ignored and an incomplete study, each of two images."""
    settings = Settings(spool=tmp_path, retention=Retention(keep_days=1))
    spool = Spool(tmp_path)
    prepare_database(settings)
    for study, state in (("good", "queued"), ("late", "queued"), ("odd", "ignored"), ("part", "incomplete")):
        job = f"{study}-job" if state == "queued" else ""
        for n in range(2):
            row = ImageRow(image=f"{study}{n}", series="r", study=study, digest="d", association=study, received_at=1.0)
            spool.store(row, [b"image"])
        spool.index.save_headers([("[]", f"{study}{n}") for n in range(2)], [])
        spool.index.save_acquisitions(
            study, [AcquisitionRow(acquisition=study, study=study, state=state, images=2, changed_at=1.0, job=job)]
        )
        if job:
            spool.index.add_job(JobRow(job=job, study=study, images=frozenset(), numbers=frozenset()))
            (tmp_path / "jobs" / job).mkdir()
            (tmp_path / "jobs" / job / "report.json").write_text("{}")
            add_job(settings, job)
    spool.index.close()
    set_status(settings, "SUCCESS", "good-job")
    set_status(settings, "SUCCESS", "late-job")
    set_status(settings, "DELAYED", "late-job.")
    return settings


def later(monkeypatch, days):
    now = time.monotonic()
    monkeypatch.setattr(retention, "time", SimpleNamespace(monotonic=lambda: now + 86400 * days))


def studies(settings):
    return sorted(path.name for path in (settings.spool / "images").iterdir() if path.is_dir())


def test_only_finished_studies_are_removed_and_only_after_their_time(settings, monkeypatch):
    monkeypatch.setattr(retention.Keeper, "is_full", lambda _keeper: False)
    keeper = Keeper(settings)
    assert keeper.keep_house() == []
    monkeypatch.setattr("time.time", lambda: 4e9)  # a clock that jumps removes nothing
    assert keeper.keep_house() == []
    monkeypatch.undo()
    monkeypatch.setattr(retention.Keeper, "is_full", lambda _keeper: False)
    later(monkeypatch, 1.1)
    assert sorted(keeper.keep_house()) == ["good", "odd"]
    assert studies(settings) == ["late", "part"]
    assert [path.name for path in (settings.spool / "jobs").iterdir()] == ["late-job"]
    assert not list((settings.spool / "trash").iterdir())
    spool = Spool(settings.spool)
    assert sorted(spool.index.studies()) == ["late", "part"]
    assert sorted(row.acquisition for row in spool.index.acquisitions()) == ["late", "part"]
    spool.index.close()
    with client(settings) as connected:
        assert connected.list_workflows(workflow_id_prefix="good-job") == []
        assert len(connected.list_workflows(workflow_id_prefix="late-job")) == 2


def test_the_time_that_passed_survives_a_restart(settings, monkeypatch):
    monkeypatch.setattr(retention.Keeper, "is_full", lambda _keeper: False)
    with monkeypatch.context() as patch:
        keeper = Keeper(settings)
        keeper.keep_house()
        later(patch, 0.6)
        keeper.keep_house()
    keeper = Keeper(settings)
    assert keeper.keep_house() == []
    later(monkeypatch, 0.6)
    assert sorted(keeper.keep_house()) == ["good", "odd"]


def test_a_full_disk_removes_what_was_delivered_and_nothing_else(settings, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(total=100, free=5))
    assert Keeper(settings).keep_house() == ["good"]
    assert studies(settings) == ["late", "odd", "part"]


def test_a_study_that_was_sent_stays_until_its_destination_has_committed_to_it(settings, monkeypatch):
    monkeypatch.setattr(retention.Keeper, "is_full", lambda _keeper: True)
    sent = Attempt(
        job="good-job", destination="pacs", part="qsm", names=["qsm/1.dcm"], queued_at=0.0, number=2, sent_at=1.0
    )
    with client(settings) as connected:
        connected.enqueue({**sent.options, "attributes": {"waits": "commitment"}}, asdict(sent))
        assert Keeper(settings).keep_house() == []
        set_status(settings, "SUCCESS", "good-job.")
    assert Keeper(settings).keep_house() == ["good"]


def test_what_we_committed_to_is_kept_for_as_long_as_the_site_states(settings, monkeypatch):
    monkeypatch.setattr(retention.Keeper, "is_full", lambda _keeper: True)
    with closing(Spool(settings.spool).index) as index:
        index.add_notice("commitment", "transaction", [("", "good0")], 1.0)
    committed = settings.model_copy(update={"retention": Retention(keep_days=1, committed_days=5)})
    keeper = Keeper(committed)
    assert keeper.keep_house() == []
    later(monkeypatch, 4.9)
    assert keeper.keep_house() == ["odd"]
    later(monkeypatch, 5.1)
    assert keeper.keep_house() == ["good"]


def test_an_interrupted_removal_is_completed(settings, monkeypatch):
    monkeypatch.setattr(retention.Keeper, "is_full", lambda _keeper: True)
    with monkeypatch.context() as patch:
        patch.setattr(retention, "delete_workflows", lambda *_: exec("raise OSError"))
        with pytest.raises(OSError):
            Keeper(settings).keep_house()
    monkeypatch.setattr(retention.Keeper, "is_full", lambda _keeper: False)
    Keeper(settings).keep_house()
    assert studies(settings) == ["late", "odd", "part"]
    with client(settings) as connected:
        assert connected.list_workflows(workflow_id_prefix="good-job") == []


def test_an_image_that_arrives_during_the_removal_stays(settings, monkeypatch):
    monkeypatch.setattr(retention.Keeper, "is_full", lambda _keeper: True)
    row = ImageRow(image="new", series="r", study="good", digest="d", association="a", received_at=2.0)

    def arrive(*_):
        spool = Spool(settings.spool)
        spool.store(row, [b"image"])
        spool.index.close()

    monkeypatch.setattr(retention, "delete_workflows", arrive)
    Keeper(settings).keep_house()
    assert (settings.spool / row.path).read_bytes() == b"image"
    spool = Spool(settings.spool)
    assert list(spool.index.images_in("good")) == ["new"]
    spool.index.close()
