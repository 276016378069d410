"""A BIDS dataset becomes BIDS derivatives: the map of the same head as DICOM, on the grid of the files."""

import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from dicom_io.source.folder import find_acquisitions
from dicom_io.source.read import read_acquisition
from plugin.errors import ConfigurationError
from plugin.jobs.bids.run import Dataset, reconstruct_dataset
from plugin.jobs.workflow import Wanted
from recon.options import Options
from recon.pipeline import reconstruct
from recon.types import Verdict
from tests.support.bids import lps_affine, write_dataset
from tests.support.phantom import make_reconstruction
from tests.support.synthetic import write_small_scan

WANTED = Wanted(options=Options(method="tikhonov"), objects=("qsm", "r2star"))


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """The same images as DICOM, read to arrays, and as NIfTI in other axes with the other sign of phase."""
    folder = tmp_path_factory.mktemp("same")
    write_small_scan(folder / "dicom")
    echoes = read_acquisition(find_acquisitions(folder / "dicom").acquisitions[0])
    mask = echoes.magnitude[0] > 500
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), lps_affine(echoes)), folder / "mask.nii")
    write_dataset(echoes, folder / "bids", axes="LAS", sign=-1)
    return folder, echoes, mask


@pytest.fixture(scope="module")
def made(scan):
    folder, _, _ = scan
    dataset = Dataset(folder=folder / "bids", output=folder / "bids/derivatives/qsm-plugin", phase_sign="negative")
    wanted = Wanted(options=WANTED.options, objects=WANTED.objects, mask=folder / "mask.nii")
    (outcome,) = reconstruct_dataset(dataset, wanted, lambda _text: None)["acquisitions"]
    return dataset.output, outcome


def test_the_map_is_that_of_the_same_head_as_dicom(scan, made):
    (folder, echoes, mask), (output, outcome) = scan, made
    assert outcome["state"] == "done"
    expected = reconstruct(echoes, options=WANTED.options, mask=mask).susceptibility.chi_ppm
    image = nibabel.load(output / "sub-01/anat/sub-01_desc-tikhonov_Chimap.nii.gz")
    source = nibabel.load(folder / "bids/sub-01/anat/sub-01_echo-1_part-phase_MEGRE.nii.gz")
    assert np.allclose(image.affine, source.affine, atol=1e-4)
    chi = np.asarray(image.dataobj)[:, ::-1]  # LAS to LPS
    assert np.abs(chi - expected).max() < 1e-4 < expected.std()
    assert set(outcome["report"]["files"]) >= {
        "sub-01/anat/sub-01_R2starmap.nii.gz",
        "sub-01/fmap/sub-01_fieldmap.json",
    }


def test_sidecars_state_unit_sources_verdict_and_how_it_was_made(made):
    output, outcome = made
    said = json.loads((output / "sub-01/anat/sub-01_desc-tikhonov_Chimap.json").read_text())
    assert (said["Units"], said["Method"], said["Verdict"]) == (
        "ppm",
        "tikhonov",
        outcome["report"]["verdict"]["level"],
    )
    assert "ExpectedError" in said
    assert said["Sources"][0] == "bids:raw:sub-01/anat/sub-01_echo-1_part-mag_MEGRE.nii.gz"
    description = json.loads((output / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["DatasetLinks"] == {"raw": "../.."}
    assert description["GeneratedBy"][0]["Name"] == "qsm-plugin"
    names = {path.name.partition(".")[0] for path in output.rglob("*.nii.gz")}
    assert names == {path.stem for path in output.rglob("sub-*.json")}


def test_a_recording_that_is_refused_does_not_keep_the_others_back(scan, tmp_path, monkeypatch):
    _, echoes, _ = scan
    for subject, sidecar in (("sub-01", {"MagneticFieldStrength": None}), ("sub-02", {"PhaseSign": "positive"})):
        write_dataset(echoes, tmp_path / "in", subject=subject, sidecar=sidecar)
    failed = Verdict(level="failed", reasons=("The residual is too large.",))
    monkeypatch.setattr(
        "recon.pipeline.reconstruct", lambda one, **_: replace(make_reconstruction(one.grid), verdict=failed)
    )
    dataset = Dataset(folder=tmp_path / "in", output=tmp_path / "out")
    first, second = reconstruct_dataset(dataset, WANTED, lambda _text: None)["acquisitions"]
    assert (first["state"], first["acquisition"]) == ("refused", "sub-01")
    assert (second["state"], second["code"]) == ("failed", "quality-failed")
    assert not (tmp_path / "out").exists()
    reconstruct_dataset(dataset, replace(WANTED, objects=(), keep_failed=True), lambda _text: None)
    assert (tmp_path / "out/sub-02/anat/sub-02_desc-networkFAILED_Chimap.nii.gz").exists()


def test_a_contrast_that_cannot_be_made_does_not_cost_the_map(scan, tmp_path):
    folder, _, _ = scan
    dataset = Dataset(folder=folder / "bids", output=tmp_path / "out", phase_sign="negative")
    wanted = Wanted(options=WANTED.options, objects=("qsm", "chi-uncertainty"), mask=folder / "mask.nii")
    (outcome,) = reconstruct_dataset(dataset, wanted, lambda _text: None)["acquisitions"]
    assert outcome["state"] == "done"
    assert any(file.endswith("_Chimap.nii.gz") for file in outcome["report"]["files"])
    assert "no uncertainty is known of this map" in outcome["report"]["not_made"]["chi-uncertainty"]


def test_mistakes_of_the_user_are_said_before_anything_is_read(scan, tmp_path):
    folder, echoes, _ = scan
    dataset = Dataset(folder=folder / "bids", output=tmp_path, phase_sign="positive")
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="qsm-plugin did not make"):
        reconstruct_dataset(dataset, WANTED, lambda _text: None)
    (tmp_path / "thesis.txt").unlink()
    wanted = Wanted(options=WANTED.options, objects=("quality-page",))
    with pytest.raises(ConfigurationError, match="no NIfTI form of quality-page"):
        reconstruct_dataset(dataset, wanted, lambda _text: None)
    for subject in ("sub-01", "sub-02"):
        write_dataset(echoes, tmp_path / "two", subject=subject)
    two = Dataset(folder=tmp_path / "two", output=tmp_path / "out", phase_sign="positive")
    with pytest.raises(ConfigurationError, match="one mask for 2 gradient echoes"):
        reconstruct_dataset(two, Wanted(options=WANTED.options, mask=folder / "mask.nii"), lambda _text: None)
