"""NIfTI files read back with the values, the units and the place that they were written with."""

import dataclasses
import json
from pkgutil import resolve_name

import nibabel
import numpy as np
import pytest

from dicom_io.derived.products import PRODUCTS
from dicom_io.errors import DicomError
from plugin.jobs.nifti import write_nifti
from recon.types import ExpectedError
from tests.support.small_result import small_result, small_result_of_known_error

CONTRASTS = ("swi", "true-swi", "min-ip", "r2star", "total-field", "local-field", "chi-uncertainty")


def oblique_affine(grid):
    """Return an affine whose patient z has the grid's B0 direction: oblique, anisotropic, left and back as in DICOM."""
    b = np.asarray(grid.b0_direction)
    left = np.cross((0.1, 1.0, 0.2), b)
    left /= np.linalg.norm(left)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([-left, -np.cross(b, left), b]) * np.asarray(grid.voxel_size_mm)
    affine[:3, 3] = (-31.5, 12.25, 77.0)
    return affine


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    scan, result = small_result_of_known_error()
    folder = tmp_path_factory.mktemp("nifti")
    contrasts = {name: resolve_name(PRODUCTS[name].make)(scan.echoes, result) for name in CONTRASTS}
    affine = oblique_affine(scan.echoes.grid)
    write_nifti(scan.echoes, result, contrasts, folder, affine=affine)
    return folder, [path for path in sorted(folder.rglob("*")) if path.is_file()], affine


def _sidecar(folder, name):
    return json.loads((folder / "sub-01" / f"{name}.json").read_text())


def test_geometry_comes_back(written):
    _, paths, affine = written
    volumes = [p for p in paths if p.name.endswith(".nii.gz")]
    assert len(volumes) == 9
    for path in volumes:
        image = nibabel.load(path)
        assert image.shape == small_result()[0].echoes.grid.shape
        assert np.allclose(image.get_sform(), affine, atol=1e-4)
        assert np.allclose(image.get_qform(), affine, atol=1e-3)
        assert image.header["qform_code"] == image.header["sform_code"] == 1
        assert image.header.get_xyzt_units()[0] == "mm"
    voxel = nibabel.affines.apply_affine(np.linalg.inv(nibabel.load(volumes[0]).affine), (-31.5, 12.25, 77.0))
    assert np.allclose(voxel, 0, atol=1e-4)


def test_values_come_back_in_their_units(written):
    folder, _, _ = written
    _, result = small_result()
    chi = nibabel.load(folder / "sub-01/anat/sub-01_Chimap.nii.gz")
    assert chi.get_data_dtype() == np.float32
    assert np.array_equal(chi.get_fdata(dtype=np.float32), result.susceptibility.chi_ppm)
    field = nibabel.load(folder / "sub-01/fmap/sub-01_fieldmap.nii.gz").get_fdata(dtype=np.float32)
    assert np.allclose(field, result.total_field.field_ppm * 127.732434, rtol=1e-5, atol=1e-6)
    mask = nibabel.load(folder / "sub-01/anat/sub-01_desc-brain_mask.nii.gz")
    assert mask.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(mask.dataobj) == 1, result.susceptibility.mask)


def test_sidecars_state_unit_reference_and_how_it_was_made(written):
    folder, _, _ = written
    chi = _sidecar(folder, "anat/sub-01_Chimap")
    assert chi["Units"] == "ppm"
    assert chi["Reference"] == "mean over the given mask"
    assert chi["Method"] == "tikhonov"
    assert chi["Verdict"] == small_result()[1].verdict.level
    assert chi["MagneticFieldStrength"] == 3.0
    assert chi["EchoTime"] == [0.006, 0.012, 0.018]
    assert _sidecar(folder, "anat/sub-01_R2starmap")["Units"] == "1/s"
    assert _sidecar(folder, "fmap/sub-01_fieldmap")["Units"] == "Hz"
    assert _sidecar(folder, "fmap/sub-01_desc-local_fieldmap")["Units"] == "ppb"
    description = json.loads((folder / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "qsm-plugin"


def test_every_volume_has_a_sidecar_and_is_private(written):
    _, paths, _ = written
    names = {p.name for p in paths}
    for path in paths:
        assert path.stat().st_mode & 0o077 == 0
        if path.name.endswith(".nii.gz"):
            assert path.name.replace(".nii.gz", ".json") in names


def test_warnings_are_stated_once_in_any_alphabet(tmp_path):
    scan, result = small_result()
    odd = dataclasses.replace(result, warnings=("ä \u2212 ppm", "ä \u2212 ppm"))
    write_nifti(scan.echoes, odd, {}, tmp_path, affine=oblique_affine(scan.echoes.grid))
    assert _sidecar(tmp_path, "anat/sub-01_Chimap")["Warnings"].count("ä \u2212 ppm") == 1


def test_the_map_states_its_expected_error(tmp_path):
    scan, result = small_result()
    error = ExpectedError(brain_ppb=23.96, bound_ppb=35.04, nuclei_ppb={"putamen": 11.23})
    for known, stated in (
        (error, {"brain_ppb": 24.0, "bound_ppb": 35.0, "nuclei_ppb": {"putamen": 11.2}}),
        (None, None),
    ):
        judged = dataclasses.replace(result, expected_error=known)
        write_nifti(scan.echoes, judged, {}, tmp_path, affine=oblique_affine(scan.echoes.grid))
        assert _sidecar(tmp_path, "anat/sub-01_Chimap")["ExpectedError"] == stated


def test_an_earlier_data_set_is_replaced_and_other_files_are_left_alone(tmp_path):
    scan, result = small_result()
    affine = oblique_affine(scan.echoes.grid)
    for _ in range(2):
        write_nifti(scan.echoes, result, {}, tmp_path / "nifti", affine=affine)
    (tmp_path / "nifti" / "thesis.txt").write_text("mine")
    with pytest.raises(DicomError, match="other files"):
        write_nifti(scan.echoes, result, {}, tmp_path / "nifti", affine=affine)
    assert (tmp_path / "nifti" / "thesis.txt").read_text() == "mine"
