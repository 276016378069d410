import json
import shutil
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from pydicom import dcmread

from dicom_io.errors import Refusal
from plugin.errors import JobFailedError
from plugin.jobs.job import Job, job_name
from plugin.jobs.place import Place
from plugin.jobs.scratch import load
from plugin.jobs.workflow import Wanted, make, write_refusal
from recon.options import Options
from recon.types import Reconstruction, Verdict

WANTED = Wanted(options=Options(method="tikhonov"))


@pytest.fixture(scope="module")
def made(acquisition, tmp_path_factory):
    """One reconstruction: its folder, its files, the order of its steps."""
    folder, steps, told = tmp_path_factory.mktemp("out"), [], []

    def run(step, function):
        steps.append(step)
        if step == "write":  # what a service that dies here leaves behind
            shutil.copytree(folder / "work", folder.with_name("died") / "work")
            shutil.copytree(folder / "work", folder.with_name("died-again") / "work")
        return function()

    report = make(Job(acquisition=acquisition), Place(folder=folder), WANTED, run=run, progress=told.append)
    return folder, report, steps, told


def files_of(folder, report):
    return [folder / name for name in report["files"]]


def test_steps_run_in_order_and_leave_only_results(made):
    folder, report, steps, told = made
    assert steps == ["read", "reconstruct", "write"]
    assert sorted(path.name for path in folder.iterdir()) == ["qsm", "report.json"]
    assert len(report["files"]) == 28
    assert told


def test_the_report_says_how_it_was_made_and_names_nobody(made):
    folder, made_report, _, _ = made
    text = (folder / "report.json").read_text()
    report = json.loads(text)
    assert report == json.loads(json.dumps(made_report))
    assert report["provenance"]["method"] == "tikhonov"
    assert report["expected_error"] is None  # known of the network's maps only
    steps = list(report["seconds"])
    assert (steps[0], steps[-1]) == ("read", "write")
    assert report["files"] == [f"qsm/{number:05d}.dcm" for number in range(1, 29)]
    assert "PLANTED" not in text


def test_a_job_that_goes_on_after_a_crash_makes_the_same_objects(made, acquisition):
    """The crash left half a series behind."""
    folder, report, _, _ = made
    job = Job(acquisition=acquisition, created=datetime.fromisoformat(report["created"]))
    here = folder.with_name("died")
    (here / ".qsm.abc").mkdir()
    (here / ".qsm.abc" / "00001.dcm").write_bytes(b"half")
    again = make(job, Place(folder=here), WANTED, run=only_write)
    contents = [[path.read_bytes() for path in files_of(*one)] for one in ((folder, report), (here, again))]
    assert contents[0] == contents[1]
    assert sorted(path.name for path in here.iterdir()) == ["qsm", "report.json"]


def only_write(step, function):
    return function() if step == "write" else 0.0


def test_revision_and_profile_reach_the_objects(made, acquisition, tmp_path):
    folder, report, _, _ = made
    files = files_of(folder, report)
    shutil.copytree(folder.with_name("died-again") / "work", tmp_path / "work")
    job = Job(acquisition=acquisition, revision=2)
    again = files_of(tmp_path, make(job, Place(folder=tmp_path), replace(WANTED, profile="pacs16"), run=only_write))
    assert dcmread(again[0]).BitsStored == 16
    assert dcmread(files[0]).BitsStored == 12
    assert dcmread(again[0]).SeriesInstanceUID != dcmread(files[0]).SeriesInstanceUID
    assert dcmread(again[0]).SeriesDescription.endswith("r2")
    assert json.loads((tmp_path / "report.json").read_text())["revision"] == 2


def test_a_mask_of_the_user_wins(acquisition, tmp_path):
    mask = np.zeros((40, 36, 28), bool)
    mask[10:30, 8:28, 5:24] = True
    np.save(tmp_path / "mask.npy", mask)
    wanted, given = replace(WANTED, mask=tmp_path / "mask.npy"), []

    def run(step, function):
        result = function()
        if step == "reconstruct":
            given.append(load(Reconstruction, tmp_path / "out" / "work" / "reconstruction").susceptibility.mask.copy())
        return result

    make(Job(acquisition=acquisition), Place(folder=tmp_path / "out"), wanted, run=run)
    assert not (given[0] & ~mask).any()
    assert given[0].sum() > 0.5 * mask.sum()


def test_the_series_belongs_to_the_source(made, acquisition):
    folder, report, _, _ = made
    source = dcmread(acquisition.headers[0].path)
    assert {dcmread(path).StudyInstanceUID for path in files_of(folder, report)} == {source.StudyInstanceUID}


def test_an_incomplete_acquisition_is_refused_before_anything_is_made(acquisition, tmp_path):
    job = Job(acquisition=replace(acquisition, headers=acquisition.headers[1:]))
    with pytest.raises(Refusal):
        make(job, Place(folder=tmp_path), WANTED)
    assert not (tmp_path / "qsm").exists()


def test_the_figures_of_a_failed_map_stay_readable_in_the_report_of_the_page(acquisition, tmp_path):
    place, job = Place(folder=tmp_path), Job(acquisition=acquisition)
    failed = {"verdict": {"level": "failed"}, "figures": {"field_noise_ppm": 0.5}}
    (tmp_path / "report.json").write_text(json.dumps(failed))
    for _ in range(2):  # the step may be run again
        write_refusal(job, place, ("quality-failed", "The map failed its quality check."))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["failed_map"] == failed
    assert report["refused"]["code"] == "quality-failed"


def test_jobs_are_saved_relative_to_the_spool(acquisition, tmp_path):
    root = acquisition.headers[0].path.parent
    used = frozenset({7, 5})
    job = Job(
        acquisition=acquisition, calling_ae="MR1", address="10.0.0.5", used_series_numbers=used, refusal=("a", "b")
    )
    job.save(tmp_path / "job", root=root)
    assert Job.load(tmp_path / "job", root=root) == job
    assert str(root) not in (tmp_path / "job" / "job.json").read_text()


def test_a_job_is_named_after_its_images(acquisition):
    name = job_name(acquisition)
    assert name == job_name(acquisition)
    less = replace(acquisition, headers=acquisition.headers[1:])
    assert job_name(less) != name
    assert job_name(less)[:16] == name[:16]


FAILED = Verdict(level="failed", reasons=("The residual is too large.",))
LEFT = replace(WANTED, objects=("qsm", "brain-mask", "quality-page", "nifti"))


def test_of_a_failed_map_the_report_alone_is_left(acquisition, tmp_path, monkeypatch):
    monkeypatch.setattr("recon.pipeline.judge_quality", lambda _figures: FAILED)
    with pytest.raises(JobFailedError, match="The residual is too large") as caught:
        make(Job(acquisition=acquisition), Place(folder=tmp_path), LEFT)
    assert caught.value.code == "quality-failed"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["verdict"] == {"level": "failed", "reasons": ["The residual is too large."]}
    assert report["figures"]
    assert report["series"] == report["files"] == []


def test_a_failed_map_that_is_kept_says_so_in_the_description_of_each_of_its_series(acquisition, tmp_path, monkeypatch):
    monkeypatch.setattr("recon.pipeline.judge_quality", lambda _figures: FAILED)
    report = make(Job(acquisition=acquisition), Place(folder=tmp_path), replace(LEFT, keep_failed=True))
    assert [one["object"] for one in report["series"]] == ["qsm", "brain-mask", "quality-page"]
    for image in map(dcmread, files_of(tmp_path, report)):
        assert image.SeriesDescription.startswith("FAILED ")
        assert len(image.SeriesDescription) <= 64
    assert all(one["description"].startswith("FAILED ") for one in report["series"])
