import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from pydicom import dcmread

from dicom_io.source.folder import find_acquisitions
from plugin.jobs.job import Job
from plugin.jobs.place import Place
from plugin.jobs.workflow import Wanted, make, others, write_refusal
from recon.errors import InvalidInputError
from recon.options import Options
from tests.support.synthetic import write_small_scan

OBJECTS = ("qsm", "qsm-enhanced", "total-field", "brain-mask", "quality-page", "nifti")
OPTIONS = Options(method="tikhonov")
WANTED = Wanted(options=OPTIONS, objects=OBJECTS)
MASK = Wanted(options=OPTIONS, objects=("qsm", "brain-mask"))
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    write_small_scan(folder, vendor="philips-enhanced")
    (found,) = find_acquisitions(folder).acquisitions
    return Job(acquisition=found, used_series_numbers=frozenset({40107}), created=CREATED)


@pytest.fixture(scope="module")
def half(job, tmp_path_factory):
    """A job whose map is made, and nothing else yet."""
    folder = tmp_path_factory.mktemp("half")

    def stop(_report, _part):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        make(job, Place(folder=folder), WANTED, deliver=stop)
    return folder


@pytest.fixture
def folder(half, tmp_path):
    shutil.copytree(half, tmp_path / "job")
    return tmp_path / "job"


def make_others(job, folder, wanted):
    return others(job, Place(folder=folder), wanted, report_of(folder), print)


def report_of(folder):
    return json.loads((folder / "report.json").read_text())


def test_the_map_is_there_before_the_others_are_made(half):
    report = report_of(half)
    assert [one["object"] for one in report["series"]] == ["qsm", "qsm-enhanced"]
    assert sorted(report["files"]) == sorted(str(p.relative_to(half)) for p in half.glob("qsm*/*.dcm"))
    assert (half / "work").is_dir()


def test_the_others_join_the_report(job, folder):
    report = make_others(job, folder, WANTED)
    assert report == report_of(folder)
    assert [one["object"] for one in report["series"]] == list(OBJECTS[:-1])
    assert report["not_made"] == {}
    assert sorted(name for one in report["series"] for name in one["files"]) == report["files"]
    for one in report["series"]:
        images = [dcmread(folder / name, stop_before_pixels=True) for name in one["files"]]
        assert {image.SeriesNumber for image in images} == {one["series_number"]}
        assert {image.SeriesDescription for image in images} == {one["description"]}
        assert {image.SOPClassUID for image in images} == {one["sop_class_uid"]}
        assert len({image.SOPInstanceUID for image in images}) == len(images)
    assert 40107 not in [one["series_number"] for one in report["series"]]
    assert set(report["seconds"]) > {"total-field", "nifti", "write"}


def test_nifti_and_dicom_are_the_same_map_at_the_same_place(job, folder):
    """Where the last voxel of the map is in the patient, by both."""
    nibabel = pytest.importorskip("nibabel")
    make_others(job, folder, WANTED)
    image = nibabel.load(next((folder / "nifti").glob("**/*Chimap.nii.gz")))
    enhanced = dcmread(next((folder / "qsm-enhanced").glob("*.dcm")))
    values = enhanced.pixel_array.astype(float) - 2048
    frames = enhanced.PerFrameFunctionalGroupsSequence
    positions = np.array([group.PlanePositionSequence[0].ImagePositionPatient for group in frames], float)
    for z, (plane, position) in enumerate(zip(values, positions, strict=True)):
        assert image.affine[:3] @ [0, 0, z, 1] == pytest.approx(position * [-1, -1, 1], abs=1e-3)
        assert np.abs(np.asarray(image.dataobj)[..., z] * 1000 - plane.T).max() <= 0.501


def test_what_cannot_be_made_keeps_nothing_back_and_says_why(job, folder, monkeypatch):
    def refuse(_echoes, _reconstruction):
        raise InvalidInputError("one echo is too few")

    def crash(_echoes, _reconstruction, **_needs):
        raise ZeroDivisionError("PLANTED^NAME")

    monkeypatch.setattr("recon.products.contrasts.fields.total_field_hz", refuse)
    monkeypatch.setattr("recon.quality.page.pages.quality_pages", crash)
    make_others(job, folder, replace(WANTED, objects=OBJECTS[:-1]))
    report = report_of(folder)
    assert [one["object"] for one in report["series"]] == ["qsm", "qsm-enhanced", "brain-mask"]
    assert report["not_made"]["total-field"] == "one echo is too few"
    assert "ZeroDivisionError" in report["not_made"]["quality-page"]
    assert "PLANTED" not in json.dumps(report)


def test_a_full_disk_is_tried_again_and_loses_nothing(job, folder, monkeypatch):
    def full(_product, _content, _sources, target):
        (target.parent / ".brain-mask.half").mkdir()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dicom_io.derived.segmentation.write_mask", full)
        with pytest.raises(OSError, match="No space"):
            make_others(job, folder, MASK)
    before = report_of(folder)
    make_others(job, folder, MASK)
    assert report_of(folder)["series"][: len(before["series"])] == before["series"]
    assert report_of(folder)["series"][-1]["object"] == "brain-mask"
    assert not (folder / ".brain-mask.half").exists()


def test_others_that_are_made_again_are_the_same(job, folder):
    """The worker died after it had made them, and before that was recorded."""
    half = report_of(folder)
    first = make_others(job, folder, MASK)
    content = [(folder / name).read_bytes() for name in first["files"]]
    again = others(job, Place(folder=folder), MASK, half, print)
    assert again | {"seconds": {}} == first | {"seconds": {}}
    assert [(folder / name).read_bytes() for name in again["files"]] == content


def test_a_refusal_is_a_page_in_the_study(job, tmp_path):
    """Even of an acquisition of which most images are gone."""
    few = replace(job.acquisition, headers=job.headers[:3])
    partial = replace(job, acquisition=few, refusal=("missing-slices", "echo 2 phase: slices 4-5 are missing"))
    names = write_refusal(partial, Place(folder=tmp_path), partial.refusal)["files"]
    (page,) = (dcmread(tmp_path / name) for name in names)
    source = dcmread(job.headers[0].path, stop_before_pixels=True)
    assert page.StudyInstanceUID == source.StudyInstanceUID
    assert page.PatientName == source.PatientName
    assert page.SOPClassUID.name == "Secondary Capture Image Storage"
    assert "slices 4-5" in page.ImageComments
    assert page.SeriesDescription.startswith("QSM not made")
    assert len(np.unique(page.pixel_array)) > 2
    before = [(tmp_path / name).read_bytes() for name in names]
    assert write_refusal(partial, Place(folder=tmp_path), partial.refusal)["files"] == names
    assert [(tmp_path / name).read_bytes() for name in names] == before
    report = report_of(tmp_path)
    assert report["refused"]["code"] == "missing-slices"
    assert [one["object"] for one in report["series"]] == ["refusal-page"]
