"""The stated noise of the field: honest where there is signal, and useless where there is none."""

import numpy as np
import pytest

from recon.field.constants import FIELD
from recon.field.total import total_field
from recon.types import GradientEcho
from tests.support.phase_phantoms import OBLIQUE, acquire, ball, positions


def with_void(echoes: GradientEcho, void: np.ndarray, noise: float) -> GradientEcho:
    """Put complex noise where a bleed has left no signal."""
    rng = np.random.default_rng(5)
    empty = noise * (rng.standard_normal(echoes.magnitude.shape) + 1j * rng.standard_normal(echoes.magnitude.shape))
    return GradientEcho(
        magnitude=np.where(void, np.abs(empty), echoes.magnitude).astype(np.float32),
        phase_rad=np.where(void, np.angle(empty), echoes.phase_rad).astype(np.float32),
        echo_times_s=echoes.echo_times_s,
        b0_tesla=echoes.b0_tesla,
        grid=echoes.grid,
    )


@pytest.mark.parametrize("times", [(0.020,), (0.012, 0.018, 0.024)])
def test_no_voxel_deep_in_a_void_is_reliable_and_none_beside_it_is_lost(times):
    x, y, z = positions(OBLIQUE)
    distance = np.sqrt((x - 0.1) ** 2 + y**2 + z**2)
    echoes = with_void(acquire(field_ppm=0.05 * x * y, echo_times_s=times), distance < 0.3, 0.02)
    result = total_field(echoes, mask=ball())
    useful = result.mask & (result.noise_ppm < FIELD.useless_ppm)
    assert not useful[distance < 0.18].any()
    assert useful[result.mask & (distance > 0.4)].all()
    assert result.mask.sum() > 0.95 * ball().sum()
    assert not (result.reliable & ~useful).any()


def test_strong_signal_keeps_its_noise():
    times, noise = (0.005, 0.010, 0.015), 0.01
    echoes = acquire(field_ppm=np.zeros(OBLIQUE.shape), echo_times_s=times, noise=noise)
    result = total_field(echoes, mask=ball())
    turns = 2e-6 * np.pi * 42.577478518e6 * 3.0
    x, _, _ = positions(OBLIQUE)
    expected = noise / turns / np.sqrt(sum((np.exp(-25 * t) * (1 + 0.2 * x) * t) ** 2 for t in times))
    np.testing.assert_allclose(np.median((result.noise_ppm / expected)[ball()]), 1.0, atol=0.1)
