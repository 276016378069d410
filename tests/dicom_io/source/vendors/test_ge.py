"""GE's alternation of slices is measured and undone; its polarity is inverted."""

from __future__ import annotations

import numpy as np
import pytest

from dicom_io.source.vendors import ge
from tests.support.phantom import make_echoes, wrapped


def alternating(phase_rad: np.ndarray) -> np.ndarray:
    sign = (-1.0) ** np.arange(phase_rad.shape[-1])
    return np.angle(np.exp(1j * phase_rad) * sign).astype(np.float32)


@pytest.mark.parametrize("alternates", [True, False])
def test_the_phase_is_restored_whether_or_not_slices_alternate(alternates: bool) -> None:
    echoes = make_echoes()
    stored = -(alternating(echoes.phase_rad) if alternates else echoes.phase_rad)
    ge.restore_phase(echoes.magnitude, stored)
    assert np.abs(wrapped(stored - echoes.phase_rad)).max() < 1e-5
    assert np.abs(stored).max() <= np.pi + 1e-6


def test_alternation_is_found_in_noise_and_beside_steep_fields() -> None:
    rng = np.random.default_rng(2)
    echoes = make_echoes()
    ramp_rad = 1.2 * np.arange(echoes.grid.shape[2])  # radians from slice to slice
    noisy = echoes.phase_rad[0] + ramp_rad + rng.normal(0, 0.5, echoes.grid.shape)
    assert not ge.slices_alternate(echoes.magnitude[0], noisy.astype(np.float32))
    assert ge.slices_alternate(echoes.magnitude[0], alternating(noisy))


def test_alternation_does_not_depend_on_wraps_or_a_constant() -> None:
    echoes = make_echoes()
    shifted = (echoes.phase_rad[0] + 2 * np.pi * 3 + 1.1).astype(np.float32)
    assert not ge.slices_alternate(echoes.magnitude[0], shifted)
    assert ge.slices_alternate(echoes.magnitude[0], alternating(shifted))


def test_one_voxel_with_no_signal_changes_nothing() -> None:
    echoes = make_echoes()
    magnitude, phase_rad = echoes.magnitude.copy(), -alternating(echoes.phase_rad)
    magnitude[:, 0, 0, :] = 0
    ge.restore_phase(magnitude, phase_rad)
    assert np.abs(wrapped(phase_rad - echoes.phase_rad)).max() < 1e-5
