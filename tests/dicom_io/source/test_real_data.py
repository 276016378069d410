"""Images of real scanners give what is known about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dicom_io.source.acquisition.completeness import assess
from dicom_io.source.folder import find_acquisitions
from dicom_io.source.header import read_headers
from dicom_io.source.read import read_acquisition
from recon.types import GAMMA_HZ_PER_TESLA
from tests.dicom_io.conftest import only_acquisition


def test_philips_brain(real_data: Path) -> None:
    acquisition = only_acquisition(real_data / "philips_brain_classic")
    assert len(acquisition.headers) == 212
    echoes = read_acquisition(acquisition)
    assert echoes.grid.shape == (80, 80, 53)
    assert echoes.grid.voxel_size_mm == pytest.approx((3, 3, 3), abs=1e-4)
    assert echoes.echo_times_s == (0.0023, 0.0046)
    assert echoes.b0_tesla == pytest.approx(127.748512e6 / GAMMA_HZ_PER_TESLA)
    row, column = (0.99739927053451, 0.03868175297975, 0.06081499531865), (-0.038610048592, 0.9992516040802)
    assert echoes.grid.b0_direction[:2] == pytest.approx((row[2], -0.0023541927803), abs=1e-6)
    assert np.sign(echoes.grid.b0_direction[2]) == np.sign(row[0] * column[1])
    assert np.abs(echoes.phase_rad).max() == pytest.approx(np.pi, abs=2e-3)


def test_philips_brain_signal_decays_and_its_phase_grows_evenly(real_data: Path) -> None:
    """In the brain, phase is offset plus frequency times TE: the second echo is near the first's line."""
    echoes = read_acquisition(only_acquisition(real_data / "philips_brain_classic"))
    brain = echoes.magnitude[0] > np.percentile(echoes.magnitude[0], 85)
    assert np.median(echoes.magnitude[1][brain] / echoes.magnitude[0][brain]) == pytest.approx(0.9, abs=0.1)
    step = np.angle(np.exp(1j * (echoes.phase_rad[1] - echoes.phase_rad[0])))
    jump = np.abs(np.diff(step, axis=2))[brain[..., 1:] & brain[..., :-1]]
    assert np.median(jump) < 0.2


def test_siemens_three_echoes_of_one_slice(real_data: Path) -> None:
    acquisition = only_acquisition(real_data / "siemens_megre_3echo")
    grid = acquisition.slices
    assert grid.echo_times_s == (0.004, 0.01, 0.016)
    assert len(acquisition.series_instance_uids) == 2
    assert {len(images) for images in grid.cells.values()} == {1}
    reason = assess(acquisition).reason
    assert reason is not None
    assert reason.code == "one-slice"


@pytest.mark.parametrize("folder", ["siemens_xa30_classic", "siemens_xa30_enhanced"])
def test_a_phase_difference_of_xa30_is_refused(folder: str, real_data: Path) -> None:
    """Also where each echo is a series of its own and EchoNumbers is absent."""
    acquisition = only_acquisition(real_data / folder)
    assert len(acquisition.headers) == 99
    completeness = assess(acquisition)
    assert completeness.state == "refused"
    assert completeness.reason is not None
    assert completeness.reason.code == "phase-difference"


def test_a_phase_difference_of_ve11_is_refused(real_data: Path) -> None:
    """Magnitude of one run, phase difference of the next one 85 s later."""
    acquisitions = find_acquisitions(real_data / "siemens_phase_difference").acquisitions
    reasons = [assess(acquisition).reason for acquisition in acquisitions]
    assert [reason and reason.code for reason in reasons] == ["phase-difference", "phase-difference"]


def test_enhanced_frames_equal_their_classic_description(real_data: Path) -> None:
    for path in (real_data / "siemens_xa30_enhanced").rglob("*.dcm"):
        headers = read_headers(path)
        assert [header.frame for header in headers] == list(range(33))
        assert {header.echo_time_s for header in headers} <= {0.01, 0.01246}
        assert {header.field_strength_t for header in headers} == {3.0}
        assert len({header.image_position_mm for header in headers}) == 33
        assert {header.scanning_sequence for header in headers} == {("GR",)}


def test_mosaics_are_skipped_in_every_transfer_syntax(real_data: Path) -> None:
    scan = find_acquisitions(real_data / "transfer_syntaxes")
    assert scan.acquisitions == ()
    codes = [reason.code for path, reason in scan.skipped if path.suffix == ".dcm"]
    assert codes == ["mosaic"] * 9
