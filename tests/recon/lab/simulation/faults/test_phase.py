"""Faults of the phase of whole echoes change what they say, and nothing else."""

import dataclasses

import numpy as np
import pytest

from recon.lab.simulation.faults import phase
from recon.operators.wrap import wrap


def difference(before, after):
    """What was added to the phase, wrapped; the magnitude is as it was."""
    assert np.array_equal(before.magnitude, after.magnitude)
    return wrap(after.phase_rad - before.phase_rad)


def test_with_signal_undoes_signal_of(echoes):
    again = phase.with_signal(echoes, phase.signal_of(echoes))
    np.testing.assert_allclose(again.magnitude, echoes.magnitude, rtol=1e-5)
    np.testing.assert_allclose(wrap(again.phase_rad - echoes.phase_rad), 0, atol=1e-5)


def test_constants_differ_from_echo_to_echo_only(echoes, rng):
    added = difference(echoes, phase.echo_constants(echoes, 0.3, rng))
    assert np.ptp(added, axis=(1, 2, 3)).max() < 1e-4
    assert np.ptp(added[:, 0, 0, 0]) > 0.1


def test_ramps_are_linear_and_differ_from_echo_to_echo(echoes, rng):
    added = difference(echoes, phase.echo_ramps(echoes, 0.5, rng))
    for axis in (1, 2, 3):
        np.testing.assert_allclose(np.diff(added, n=2, axis=axis), 0, atol=1e-4)
        assert np.ptp(np.diff(added, axis=axis)[:, 0, 0, 0]) > 1e-3


def test_inverting_twice_changes_nothing(echoes, rng):
    once = phase.inverted(echoes, 1.0, rng)
    np.testing.assert_allclose(once.phase_rad, -echoes.phase_rad, atol=1e-6)
    np.testing.assert_allclose(phase.inverted(once, 1.0, rng).phase_rad, echoes.phase_rad, atol=1e-6)


def test_a_wrong_range_leaves_a_part_of_a_turn(echoes, rng):
    after = phase.scaled_phase(echoes, 0.25, rng)
    np.testing.assert_allclose(after.phase_rad, 0.75 * echoes.phase_rad, atol=1e-5)


def test_coarse_phase_has_few_values_near_the_true_ones(echoes, rng):
    after = phase.coarse_phase(echoes, 0.8, rng)
    assert np.abs(difference(echoes, after)).max() <= 0.4 + 1e-5
    assert len(np.unique(np.round(after.phase_rad, 4))) <= 9


def test_two_neighbouring_echoes_are_swapped(echoes, rng):
    after = phase.swapped_echoes(echoes, 1.0, rng).phase_rad
    places = [next(i for i in range(4) if np.array_equal(one, echoes.phase_rad[i])) for one in after]
    moved = [i for i, place in enumerate(places) if place != i]
    assert sorted(places) == [0, 1, 2, 3]
    assert len(moved) == 2
    assert moved[1] == moved[0] + 1


def test_one_echo_stands_for_the_next(echoes, rng):
    after = phase.repeated_echo(echoes, 1.0, rng).phase_rad
    (wrong,) = (i for i in range(4) if not np.array_equal(after[i], echoes.phase_rad[i]))
    assert np.array_equal(after[wrong], echoes.phase_rad[wrong - 1])


def test_every_second_echo_changes_its_sense(echoes, rng):
    after = phase.conjugate_echoes(echoes, 1.0, rng).phase_rad
    assert np.array_equal(after[::2], echoes.phase_rad[::2])
    assert np.array_equal(after[1::2], -echoes.phase_rad[1::2])


def test_phase_is_mirrored_against_the_magnitude(echoes, rng):
    after = phase.mirrored_phase(echoes, 1.0, rng)
    assert np.array_equal(after.magnitude, echoes.magnitude)
    assert np.array_equal(after.phase_rad[:, ::-1], echoes.phase_rad)


def test_phase_lies_some_millimetres_away(echoes, rng):
    marked = np.zeros_like(echoes.phase_rad)
    marked[:, 11, 9, 7] = 1
    after = phase.displaced_phase(dataclasses.replace(echoes, phase_rad=marked), 9.0, rng)
    places = np.argwhere(after.phase_rad[0] == 1)
    (shift_mm,) = (places - (11, 9, 7)) * echoes.grid.voxel_size_mm
    assert np.linalg.norm(shift_mm) == pytest.approx(9.0, abs=0.5 * np.linalg.norm(echoes.grid.voxel_size_mm))
    assert np.array_equal(after.phase_rad[0], after.phase_rad[-1])


def test_homodyne_removes_smooth_phase_and_keeps_fine_phase(echoes, rng):
    x = phase.positions(22)[:, None, None]
    smooth = np.broadcast_to(0.8 * np.cos(np.pi * x), echoes.phase_rad.shape)
    fine = np.broadcast_to(0.3 * (-1.0) ** np.arange(22)[:, None, None], echoes.phase_rad.shape)
    even = dataclasses.replace(echoes, magnitude=np.full_like(echoes.magnitude, 100.0))
    left = {}
    for name, added in (("smooth", smooth), ("fine", fine)):
        filtered = phase.homodyne(dataclasses.replace(even, phase_rad=added.astype(np.float32)), 0.4, rng)
        left[name] = filtered.phase_rad.std() / added.std()
        assert np.array_equal(filtered.magnitude, even.magnitude)
    assert left["smooth"] < 0.3
    assert left["fine"] > 0.95


def test_phase_turns_around_a_line_in_all_echoes_alike(echoes, rng):
    added = difference(echoes, phase.fringes(echoes, 1.0, rng))
    np.testing.assert_allclose(wrap(added - added[:1]), 0, atol=1e-4)
    ring = np.concatenate([added[0, :, 0, 7], added[0, -1, :, 7], added[0, ::-1, -1, 7], added[0, 0, ::-1, 7]])
    assert abs(wrap(np.diff(ring, append=ring[:1])).sum()) == pytest.approx(2 * np.pi, abs=1e-3)
