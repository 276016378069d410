"""Phase whose scale is wrong shows it by its jumps."""

from __future__ import annotations

import numpy as np
import pytest

from dicom_io.errors import Refusal
from dicom_io.source.phase_range import check_phase_range
from tests.support.phantom import wrapped


def phase(noise_rad: float = 0.3) -> np.ndarray:
    """A field that wraps, under noise, with air around it; two echoes."""
    x, y, z = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 32), np.linspace(-1, 1, 24), indexing="ij")
    rng = np.random.default_rng(5)
    turned = np.stack([te * (9 * x + 6 * y * z) for te in (0.5, 1.5)])
    turned += noise_rad * rng.standard_normal(turned.shape)
    air = np.broadcast_to(np.abs(x) > 0.8, turned.shape)
    turned[air] = rng.uniform(-np.pi, np.pi, int(air.sum()))
    return turned.astype(np.float32)


@pytest.mark.parametrize("scale", [1 / 16, 0.5, 0.86, 1.5, 2.0])
def test_jumps_of_other_than_a_turn_are_refused(scale: float) -> None:
    with pytest.raises(Refusal, match="jumps from one end to the other") as refusal:
        check_phase_range(scale * wrapped(phase()))
    assert refusal.value.code == "phase-range"


def test_an_echo_on_another_scale_is_named() -> None:
    echoes = wrapped(phase())
    echoes[0] *= 0.8
    with pytest.raises(Refusal, match=r"the phase of echo 1 runs from -2\.51 to 2\.51 rad"):
        check_phase_range(echoes)


def test_wrapped_phase_may_lie_in_any_turn() -> None:
    check_phase_range(wrapped(phase()))
    check_phase_range(wrapped(phase()) - np.float32(np.pi))


def test_smooth_phase_needs_no_full_turn() -> None:
    smooth = phase(noise_rad=0.0)[..., 8:-8, :, :]
    check_phase_range(0.1 * smooth)
    check_phase_range(smooth)


def test_phase_masked_to_zero_is_not_refused() -> None:
    few = 0.2 * phase(noise_rad=0.05)
    few[:, :8], few[:, -8:] = 0, 0
    check_phase_range(few)
