"""Faults of the measurement leave the traces in the signal, or in its k-space, that they state."""

import numpy as np
import pytest
import torch

from recon.lab.simulation.effects.lines import line_times, to_lines
from recon.lab.simulation.faults import lines
from recon.lab.simulation.faults.phase import signal_of
from tests.support.small_scan import small_scan


def bright(echoes):
    return np.percentile(echoes.magnitude[0], 90)


def lines_of(echoes):
    return to_lines(torch.from_numpy(signal_of(echoes)), False).numpy()


def test_noise_has_the_stated_share_of_bright_tissue(echoes, rng):
    added = signal_of(lines.noise(echoes, 0.3, rng)) - signal_of(echoes)
    assert np.std(added.real) == pytest.approx(0.3 * bright(echoes), rel=0.03)
    assert np.std(added.imag) == pytest.approx(0.3 * bright(echoes), rel=0.03)
    assert abs(np.mean(added)) < 0.02 * bright(echoes)


def test_lines_before_the_head_moves_are_as_they_were(echoes, rng):
    before, after = lines_of(echoes), lines_of(lines.motion(echoes, 4.0, rng))
    shares = line_times(echoes.grid.shape, False).numpy()
    scale = np.abs(before).max()
    difference = np.abs(after - before).max(axis=(0, 1)) / scale
    assert difference[shares < 0.2].max() < 1e-5
    assert difference[shares >= 0.8].max() > 1e-3


def test_echoes_of_a_head_that_moves_between_them_keep_their_strength_and_lie_elsewhere(echoes, rng):
    after = lines.motion_between_echoes(echoes, 4.0, rng)
    inside = [np.argwhere(m > 0.5 * np.percentile(m, 95)).mean(axis=0) for m in after.magnitude]
    places_mm = np.array(inside) * echoes.grid.voxel_size_mm
    apart = [np.linalg.norm(places_mm[i + 1] - places_mm[i]) for i in range(3)]
    assert max(apart) > 1.0
    assert max(apart) <= 8.5
    for image, moved in zip(echoes.magnitude, after.magnitude, strict=True):
        assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(image), rel=1e-3)


@pytest.mark.parametrize(("fault", "severity"), [(lines.breathing, 20.0), (lines.drift, 60.0)])
def test_a_field_that_changes_between_lines_spoils_late_echoes_most(echoes, rng, fault, severity):
    before, after = signal_of(echoes), signal_of(fault(echoes, severity, rng))
    changed = [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(after, before, strict=True)]
    assert changed == sorted(changed)
    assert changed[-1] > 2 * changed[0]


def test_a_drift_turns_lines_and_keeps_their_strength(echoes, rng):
    before, after = lines_of(echoes), lines_of(lines.drift(echoes, 50.0, rng))
    np.testing.assert_allclose(np.abs(after), np.abs(before), atol=1e-3 * np.abs(before).max())
    shares = line_times(echoes.grid.shape, False).numpy()
    last = np.sum(after[-1] * before[-1].conj(), axis=0)
    turned = 2 * np.pi * 50.0 * echoes.echo_times_s[-1] * (shares - 0.5)
    strong = np.abs(last) > 0.01 * np.abs(last).max()
    np.testing.assert_allclose(np.angle(last * np.exp(-1j * turned))[strong], 0, atol=0.02)


def test_a_ghost_is_a_copy_half_the_field_of_view_away(echoes, rng):
    before = signal_of(echoes)
    added = signal_of(lines.ghost(echoes, 0.4, rng)) - before
    copy = np.roll(before, 9, axis=2)
    ratio = np.sum(added * copy.conj()) / np.sum(np.abs(copy) ** 2)
    assert abs(ratio) == pytest.approx(0.4, rel=1e-3)
    np.testing.assert_allclose(added, ratio * copy, atol=1e-3 * np.abs(before).max())


def test_a_spike_is_one_point_of_one_echo_s_k_space(echoes, rng):
    added = signal_of(lines.spike(echoes, 0.5, rng)) - signal_of(echoes)
    (number,) = np.flatnonzero(np.abs(added).max(axis=(1, 2, 3)) > 1e-3)
    np.testing.assert_allclose(np.abs(added[number]), 0.5 * bright(echoes), rtol=1e-3)
    spectrum = np.abs(np.fft.fftn(added[number]))
    assert np.count_nonzero(spectrum > 1e-3 * spectrum.max()) == 1


def test_metal_leaves_a_void_and_dephasing_around_it():
    echoes = small_scan().echoes
    mild, strong = (lines.metal(echoes, ppm, np.random.default_rng(2)) for ppm in (50.0, 3000.0))
    for after in (mild, strong):
        assert (after.magnitude <= echoes.magnitude * (1 + 1e-4)).all()
        assert np.count_nonzero((after.magnitude[0] == 0) & (echoes.magnitude[0] > 0)) > 0
    assert strong.magnitude.sum() < mild.magnitude.sum()
    lost = [1 - float(a.sum() / b.sum()) for a, b in zip(strong.magnitude, echoes.magnitude, strict=True)]
    assert lost == sorted(lost)


def test_dark_slices_have_noise_for_phase(echoes, rng):
    after = lines.lost_magnitude(echoes, 0.3, rng)
    dark = np.flatnonzero(~after.magnitude.any(axis=(0, 1, 2)))
    assert len(dark) == round(0.3 * 14)
    assert abs(np.exp(1j * after.phase_rad[..., dark]).mean()) < 0.1
    others = np.setdiff1d(np.arange(14), dark)
    assert np.array_equal(after.magnitude[..., others], echoes.magnitude[..., others])
    assert np.array_equal(after.phase_rad[..., others], echoes.phase_rad[..., others])
