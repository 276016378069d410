"""The steps of a job leave its pictures in its folder, and the report says what they are."""

import json
from dataclasses import replace

import numpy as np
import pytest

from plugin.errors import JobFailedError
from plugin.jobs.job import Job
from plugin.jobs.pictures import StoredPictures, read_picture, with_pictures
from plugin.jobs.place import Lease, Place
from plugin.jobs.workflow import Wanted, make, write_refusal
from recon.options import Options
from recon.quality.page.pictures import Picture
from recon.types import Verdict

WANTED = Wanted(options=Options(method="tikhonov"), objects=("swi",), pictures=True)
NAMES = ["magnitude", "field", "qsm", "qsm-wide"]


@pytest.fixture(scope="module")
def made(acquisition, tmp_path_factory):
    folder = tmp_path_factory.mktemp("job")
    return folder, make(Job(acquisition=acquisition), Place(folder=folder, lease=Lease(name="mine")), WANTED)


def test_each_picture_is_named_in_the_report_and_small(made, acquisition):
    folder, report = made
    pictures = StoredPictures.of(json.loads((folder / "report.json").read_text()))
    assert list(pictures.volumes) == [*NAMES, "swi"]
    assert pictures.verdict == report["verdict"]["level"]
    assert np.allclose(pictures.axes_mm, Job(acquisition=acquisition).source_series.affine[:3, :3])
    shapes = set()
    for stored in pictures.volumes.values():
        path = folder / stored.file
        assert path.parent == folder / "mine" / "pictures"
        assert path.stat().st_mode & 0o077 == 0
        volume = read_picture(path)
        assert volume.dtype == np.uint8
        shapes.add(volume.shape)
    assert len(shapes) == 1
    assert report["seconds"]["pictures"] > 0
    assert not any("pictures" in name for name in report["files"])  # never delivered


def test_pictures_are_made_only_where_they_are_wanted(acquisition, tmp_path):
    report = make(Job(acquisition=acquisition), Place(folder=tmp_path), replace(WANTED, pictures=False, objects=()))
    assert StoredPictures.of(report) is None
    assert not (tmp_path / "pictures").exists()


def test_a_map_that_was_withheld_can_still_be_looked_at(acquisition, tmp_path, monkeypatch):
    monkeypatch.setattr("recon.pipeline.judge_quality", lambda _: Verdict(level="failed", reasons=("Bad.",)))
    place, job = Place(folder=tmp_path), Job(acquisition=acquisition)
    make(job, place, replace(WANTED, keep_failed=True, objects=()))
    pictures = StoredPictures.of(write_refusal(job, place, ("quality-failed", "Bad.")))
    assert pictures.verdict == "failed"
    assert list(pictures.volumes) == NAMES
    with pytest.raises(JobFailedError):
        make(job, Place(folder=tmp_path / "not-kept"), replace(WANTED, objects=()))
    assert not (tmp_path / "not-kept" / "pictures").exists()


def test_pictures_that_cannot_be_made_do_not_keep_the_map_away(tmp_path):
    report = {"seconds": {"read": 1.0}, "verdict": {"level": "ok"}}

    def broken():
        raise ValueError("nobody expected this")

    def full():
        raise OSError(28, "No space left on device")

    assert with_pictures(report, broken, Place(folder=tmp_path), np.eye(4)) == report
    with pytest.raises(OSError, match="No space"):
        with_pictures(report, full, Place(folder=tmp_path), np.eye(4))
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_is_run_again_replaces_its_pictures(tmp_path):
    report = {"seconds": {}, "verdict": {"level": "ok"}}
    for grey in (3, 4):
        picture = Picture(name="qsm", values=np.full((2, 3, 4), grey, np.uint8), window=(-200.0, 200.0), unit="ppb")
        report = with_pictures(report, lambda one=picture: [one], Place(folder=tmp_path), np.eye(4))
    (stored,) = StoredPictures.of(report).volumes.values()
    assert (read_picture(tmp_path / stored.file) == 4).all()
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["qsm.npy"]
