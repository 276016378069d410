"""Gradient echoes read from NIfTI are those that were written, in whatever axes; what is not stated is refused."""

import dataclasses
import json
import math

import numpy as np
import pytest

from dicom_io.errors import Refusal
from plugin.errors import ConfigurationError
from plugin.jobs.bids.dataset import find_recordings, sidecar
from plugin.jobs.bids.images import read_recording
from recon.errors import InvalidInputError
from tests.support.bids import lps_affine, write_dataset
from tests.support.phantom import make_echoes

ECHOES = make_echoes()


def read(root, sign="positive"):
    (recording,) = find_recordings(root)
    return read_recording(recording, root, sign)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "LAS", "RPI"])
def test_flipped_axes_are_read_as_the_scanner_made_them(axes, tmp_path):
    echoes, found = read(write_dataset(ECHOES, tmp_path, axes=axes))
    assert np.array_equal(echoes.magnitude, ECHOES.magnitude)
    assert np.allclose(echoes.phase_rad, ECHOES.phase_rad, atol=1e-6)
    assert echoes.echo_times_s == ECHOES.echo_times_s
    assert echoes.grid.shape == ECHOES.grid.shape
    assert np.allclose(echoes.grid.voxel_size_mm, ECHOES.grid.voxel_size_mm, atol=1e-4)
    assert np.allclose(echoes.grid.b0_direction, ECHOES.grid.b0_direction, atol=1e-5)
    assert np.allclose(found.affine, lps_affine(ECHOES), atol=1e-4)
    assert np.array_equal(found.in_dicom_axes(found.in_own_axes(echoes.magnitude[0])), echoes.magnitude[0])


@pytest.mark.parametrize(("axes", "usual"), [("ASR", "PIR"), ("LSA", "LIP"), ("IPL", "PIR"), ("SRA", "LIP")])
def test_slices_stay_slices_and_b0_is_where_patient_z_is(axes, usual, tmp_path):
    echoes, found = read(write_dataset(ECHOES, tmp_path, axes=axes))
    upright = found.affine[:3, :3] / np.linalg.norm(found.affine[:3, :3], axis=0)
    assert np.linalg.det(upright) == pytest.approx(1, abs=1e-4)
    assert np.allclose(echoes.grid.b0_direction, upright[2], atol=1e-6)
    vertical = usual.index("I")
    assert echoes.grid.b0_direction[vertical] < -0.8
    assert echoes.grid.shape[vertical] == ECHOES.grid.shape[2]


@pytest.mark.parametrize(
    ("lowest", "highest", "zero"),
    [(-4096, 4094, 0), (0, 4095, 2048), (-3141.59, 3141.59, 0), (0, 2 * math.pi, 0), (-2048, 2047, 0)],
)
def test_the_scale_of_phase_is_taken_from_a_range_that_is_filled(lowest, highest, zero, tmp_path):
    per_radian = (highest - lowest) / (2 * math.pi)
    phase_rad = np.copy(ECHOES.phase_rad)
    phase_rad[:, 0, 0, 0], phase_rad[:, -1, 0, 0] = -math.pi, math.pi - 1e-6
    wrapped = np.where(phase_rad < 0, phase_rad + 2 * math.pi, phase_rad) if zero == lowest == 0 else phase_rad
    stored = np.clip(wrapped * per_radian + zero, lowest, highest).astype(np.float32)
    root = write_dataset(ECHOES, tmp_path, phase=stored, sidecar={"Units": "arbitrary"})
    apart = np.angle(np.exp(1j * (read(root)[0].phase_rad - phase_rad)))
    assert np.abs(apart).max() < 3e-3


def test_the_sign_of_phase_is_stated_by_the_user_or_by_the_sidecars(tmp_path):
    root = write_dataset(ECHOES, tmp_path / "a", sign=-1)
    with pytest.raises(InvalidInputError, match="sign of the phase is not stated"):
        read(root, sign=None)
    assert np.allclose(read(root, sign="negative")[0].phase_rad, ECHOES.phase_rad, atol=1e-6)
    said = write_dataset(ECHOES, tmp_path / "b", sign=-1, sidecar={"PhaseSign": "negative"})
    assert np.allclose(read(said, sign=None)[0].phase_rad, ECHOES.phase_rad, atol=1e-6)
    with pytest.raises(InvalidInputError, match="'negative', 'positive'"):
        read(said, sign="positive")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sidecar": {"Units": None}, "phase": ECHOES.phase_rad / 2}, "scale of the phase is not known"),
        ({"phase": 3 * ECHOES.phase_rad}, "values run from"),
        ({"sidecar": {"Units": "degree"}}, "expected 'rad' or 'arbitrary'"),
        ({"phase": np.full_like(ECHOES.phase_rad, np.nan)}, "not numbers"),
        ({"code": 2}, "B0 direction is not known"),
        ({"sidecar": {"EchoTime": None}}, "EchoTime is missing"),
        ({"sidecar": {"EchoTime": "5"}}, "EchoTime is missing or not a number"),
    ],
)
def test_what_is_not_stated_is_refused_and_never_assumed(change, message, tmp_path):
    with pytest.raises(InvalidInputError, match=message):
        read(write_dataset(ECHOES, tmp_path, **change))


def test_a_missing_field_strength_is_refused_and_the_measured_frequency_goes_before_the_label(tmp_path):
    with pytest.raises(Refusal, match="MagneticFieldStrength"):
        read(write_dataset(ECHOES, tmp_path / "a", sidecar={"MagneticFieldStrength": None}))
    said = {"MagneticFieldStrength": 3, "ImagingFrequency": 123.25}
    assert read(write_dataset(ECHOES, tmp_path / "b", sidecar=said))[0].b0_tesla == pytest.approx(2.8947, abs=1e-3)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "ASR"])
def test_b0_is_where_the_sidecars_say_if_the_affine_is_of_another_image(axes, tmp_path):
    _, scanned = read(write_dataset(ECHOES, tmp_path / "a", axes=axes))
    own = scanned.own[:3, :3] / np.linalg.norm(scanned.own[:3, :3], axis=0)
    expected = read(tmp_path / "a")[0].grid.b0_direction
    root = write_dataset(ECHOES, tmp_path / "b", axes=axes, code=2, sidecar={"B0_dir": own[2].tolist()})
    assert np.allclose(read(root)[0].grid.b0_direction, expected, atol=1e-6)


def test_a_missing_part_and_another_grid_are_refused(tmp_path):
    root = write_dataset(ECHOES, tmp_path / "a")
    (root / "sub-01/anat/sub-01_echo-2_part-mag_MEGRE.nii.gz").unlink()
    with pytest.raises(InvalidInputError, match="mag of echo 2 is missing"):
        read(root)
    root, moved = write_dataset(ECHOES, tmp_path / "b"), write_dataset(ECHOES, tmp_path / "c", axes="RAS")
    name = "sub-01/anat/sub-01_echo-3_part-phase_MEGRE.nii.gz"
    (moved / name).replace(root / name)
    with pytest.raises(InvalidInputError, match="another grid"):
        read(root)


def test_damaged_files_are_refused(tmp_path):
    root = write_dataset(ECHOES, tmp_path)
    (root / "sub-01/anat/sub-01_echo-1_part-mag_MEGRE.nii.gz").write_bytes(b"not gzip")
    with pytest.raises(InvalidInputError, match="cannot be read as NIfTI"):
        read(root)
    with pytest.raises(ConfigurationError, match="no gradient echo found"):
        find_recordings(tmp_path / "sub-01")


def test_sidecars_are_inherited_and_the_nearest_one_prevails(tmp_path):
    root = write_dataset(ECHOES, tmp_path, subject="sub-01/ses-2", sidecar={"MagneticFieldStrength": None})
    (recording,) = find_recordings(root)
    assert (str(recording.folder), recording.stem) == ("sub-01/ses-2", "sub-01_ses-2")
    (root / "MEGRE.json").write_text(json.dumps({"MagneticFieldStrength": 1.5, "EchoTime": 9}))
    (root / "sub-01/ses-2/part-phase_MEGRE.json").write_text(json.dumps({"MagneticFieldStrength": 3}))
    (root / "sub-01/ses-2/ses-1_MEGRE.json").write_text(json.dumps({"MagneticFieldStrength": 7}))
    mag, phase = recording.pairs[0]
    assert sidecar(mag, root)["MagneticFieldStrength"] == 1.5
    assert sidecar(phase, root)["MagneticFieldStrength"] == 3
    assert sidecar(phase, root)["EchoTime"] == ECHOES.echo_times_s[0]


def test_echoes_are_ordered_by_echo_time(tmp_path):
    backwards = dataclasses.replace(ECHOES, echo_times_s=(0.001, 0.002, 0.003))
    root = write_dataset(backwards, tmp_path)
    for path in (root / "sub-01/anat").glob("*.json"):
        said = json.loads(path.read_text())
        path.write_text(json.dumps({**said, "EchoTime": 0.004 - said["EchoTime"]}))
    echoes, _ = read(root)
    assert np.array_equal(echoes.magnitude, ECHOES.magnitude[::-1])
