"""Slices and slabs with phase offsets of their own (public reports: QSMxT 189, ROMEO 9)."""

from dataclasses import replace

import numpy as np
import pytest

from recon.field.constants import FIELD
from recon.field.offsets.slices import slice_steps, without_slice_offsets
from recon.field.total import total_field
from tests.support.phase_phantoms import OBLIQUE, SHAPE, acquire, ball, positions

TIMES_S = (0.005, 0.010, 0.015)
SLICES = OBLIQUE.shape[2]


def offsets_rad(kind):
    rng = np.random.default_rng(3)
    made = {
        "interleaved": 0.6 * (np.arange(SLICES) % 2),
        "random": rng.uniform(-np.pi, np.pi, SLICES),
        "slabs": np.array([0.0, 0.9, -0.7])[3 * np.arange(SLICES) // SLICES],
    }
    return made[kind].astype(np.float32)


def moved(echoes, offset):
    phase = np.angle(np.exp(1j * (echoes.phase_rad + offset))).astype(np.float32)
    return replace(echoes, phase_rad=phase)


def field(x, y, z):
    return 0.03 * x * y + 0.05 * z


@pytest.fixture(scope="module")
def echoes():
    return acquire(field_ppm=field(*positions(OBLIQUE)), echo_times_s=TIMES_S, noise=0.01)


def change_ppb(before, after, mask):
    change = (after.field_ppm - before.field_ppm)[mask] * 1e3
    return float(np.sqrt(np.mean((change - np.median(change)) ** 2)))


@pytest.mark.parametrize("kind", ["interleaved", "random", "slabs"])
def test_offsets_of_slices_do_not_move_the_field_of_several_echoes(echoes, kind):
    mask = ball()
    result = total_field(moved(echoes, offsets_rad(kind)), mask=mask)
    assert change_ppb(total_field(echoes, mask=mask), result, mask) < 1.0
    assert result.figures["slice_step_rad"] > FIELD.slice_step_rad
    assert any("Slices or slabs" in w for w in result.warnings)


@pytest.mark.parametrize("kind", ["interleaved", "slabs"])
def test_a_single_echo_loses_steps_and_keeps_its_field(echoes, kind):
    single = replace(
        echoes, phase_rad=echoes.phase_rad[-1:], magnitude=echoes.magnitude[-1:], echo_times_s=TIMES_S[-1:]
    )
    corrected, warnings, _ = without_slice_offsets(moved(single, offsets_rad(kind)), ball())
    left = np.angle(np.exp(1j * (corrected.phase_rad - single.phase_rad)))[0]
    inside = left[:, :, SLICES // 4 : -SLICES // 4][ball()[:, :, SLICES // 4 : -SLICES // 4]]
    assert warnings
    assert np.ptp(inside) < 0.3


@pytest.mark.parametrize("spread_rad", [0.15, 0.5])
def test_a_single_echo_loses_random_offsets_but_for_a_smooth_part(echoes, spread_rad):
    single = replace(
        echoes, phase_rad=echoes.phase_rad[-1:], magnitude=echoes.magnitude[-1:], echo_times_s=TIMES_S[-1:]
    )
    offset = np.random.default_rng(5).normal(0, spread_rad, SLICES).astype(np.float32)
    corrected, warnings, figures = without_slice_offsets(moved(single, offset), ball())
    left = np.angle(np.exp(1j * (corrected.phase_rad - single.phase_rad)))[0, SHAPE[0] // 2, SHAPE[1] // 2]
    inside = slice(SLICES // 4, -SLICES // 4)
    assert np.std(np.diff(left[inside], 2)) < 0.1
    assert "A single echo cannot tell" in warnings[0]
    assert figures["slice_step_rad"] > FIELD.slice_step_rad
    assert figures["slice_step_left_rad"] == figures["slice_step_rad"]


def test_echoes_without_steps_are_left_as_they_are(echoes):
    corrected, warnings, figures = without_slice_offsets(echoes, ball())
    assert corrected is echoes
    assert not warnings
    assert figures["slice_step_rad"] < 0.07
    assert figures["slice_step_left_rad"] == figures["slice_step_rad"]


def test_steps_are_those_at_echo_time_zero(echoes):
    step, _, weight = slice_steps(moved(echoes, np.linspace(0, 2, SLICES, dtype=np.float32)), ball())
    before, _, _ = slice_steps(echoes, ball())
    np.testing.assert_allclose((step - before)[weight > 0.1], 2 / (SLICES - 1), atol=0.02)


def test_a_steep_field_along_the_slices_is_not_an_offset():
    """As at the base of the skull, in thick slices and a late single echo."""
    x, y, z = positions(OBLIQUE)
    steep = acquire(field_ppm=0.15 * np.exp(-((z + 0.4) ** 2) / 0.04) + 0.02 * x * y, echo_times_s=(0.020,), noise=0.01)
    corrected, warnings, _ = without_slice_offsets(steep, ball())
    assert corrected is steep
    assert not warnings


def test_a_field_that_steps_between_slabs_is_made_whole(echoes):
    """Slabs are acquired one after another, and the field drifts meanwhile."""
    slab = 3 * np.arange(SLICES) // SLICES
    times = np.float32(TIMES_S)[:, None, None, None]
    drifted = (2 * np.pi * np.array([0.0, 3.0, -2.0])[slab] * times).astype(np.float32)
    mask = ball()
    result = total_field(moved(echoes, drifted + offsets_rad("slabs")), mask=mask)
    assert change_ppb(total_field(echoes, mask=mask), result, mask) < 2.0


def test_slices_of_inverted_phase_do_not_belong_to_their_neighbours(echoes):
    phase = echoes.phase_rad.copy()
    phase[..., SLICES // 2 :] *= -1
    assert without_slice_offsets(echoes, ball())[2]["slice_coherence_drop"] < 0.1
    turned = replace(echoes, phase_rad=phase)
    assert without_slice_offsets(turned, ball())[2]["slice_coherence_drop"] > 0.25


def test_a_step_of_the_field_between_slabs_without_a_step_at_echo_time_zero_is_measured(echoes):
    slab = 3 * np.arange(SLICES) // SLICES
    times = np.float32(TIMES_S)[:, None, None, None]
    drifted = moved(echoes, (2 * np.pi * np.array([0.0, 6.0, 0.0])[slab] * times).astype(np.float32))
    assert without_slice_offsets(echoes, ball())[2]["slice_field_step_ppb"] < 10
    assert without_slice_offsets(drifted, ball())[2]["slice_field_step_ppb"] == pytest.approx(6 / 0.12773, rel=0.2)
