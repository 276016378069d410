"""Faults of slices and slabs are constant within them."""

import numpy as np
import pytest

from recon.lab.simulation.faults import slices
from recon.operators.wrap import wrap


def offsets(before, after):
    """What was added to the phase of each slice of each echo, wrapped, ``(echo, z)``; constant within slices."""
    assert np.array_equal(before.magnitude, after.magnitude)
    added = wrap(after.phase_rad - before.phase_rad)
    apart = wrap(added - added[:, :1, :1])
    np.testing.assert_allclose(apart, 0, atol=1e-4)
    return added[:, 0, 0]


def touched(before, after):
    """Numbers of the slices whose phase changed."""
    return np.flatnonzero((before != after).any(axis=(0, 1, 2)))


def test_slices_have_offsets_that_all_echoes_share(echoes, rng):
    added = offsets(echoes, slices.slice_offsets(echoes, 0.4, rng))
    np.testing.assert_allclose(added - added[0], 0, atol=1e-4)
    assert added[0].std() == pytest.approx(0.4, rel=0.5)


def test_slices_of_each_echo_have_their_own(echoes, rng):
    added = offsets(echoes, slices.slice_offsets_per_echo(echoes, 0.4, rng))
    assert added.std() == pytest.approx(0.4, rel=0.3)
    assert abs(np.corrcoef(added[0], added[1])[0, 1]) < 0.8


@pytest.mark.parametrize("seed", range(4))
def test_slabs_have_one_offset_each(echoes, seed):
    added = offsets(echoes, slices.slab_phases(echoes, 0.5, np.random.default_rng(seed)))
    np.testing.assert_allclose(added - added[0], 0, atol=1e-4)
    borders = np.count_nonzero(np.abs(np.diff(added[0])) > 1e-3)
    assert 1 <= borders <= 3


def test_slabs_have_a_frequency_each(echoes, rng):
    added = offsets(echoes, slices.slab_fields(echoes, 5.0, rng))
    hertz = added / (2 * np.pi * np.array(echoes.echo_times_s)[:, None])
    np.testing.assert_allclose(hertz, hertz[:1].repeat(4, axis=0), atol=1e-2)
    assert 1 <= np.count_nonzero(np.abs(np.diff(hertz[0])) > 1e-2) <= 3


def test_neighbouring_slices_change_their_sense(echoes, rng):
    after = slices.inverted_slab(echoes, 0.3, rng).phase_rad
    numbers = touched(echoes.phase_rad, after)
    assert len(numbers) == round(0.3 * 14)
    assert np.ptp(numbers) == len(numbers) - 1
    assert np.array_equal(after[..., numbers], -echoes.phase_rad[..., numbers])


def test_lost_slices_have_no_phase(echoes, rng):
    after = slices.lost_slices(echoes, 0.3, rng).phase_rad
    numbers = touched(echoes.phase_rad, after)
    assert len(numbers) == round(0.3 * 14)
    assert not after[..., numbers].any()


def test_neighbouring_slices_are_exchanged_magnitude_and_phase(echoes, rng):
    after = slices.disordered_slices(echoes, 0.5, rng)
    places = [
        int(np.flatnonzero((echoes.phase_rad == after.phase_rad[..., [z]]).all(axis=(0, 1, 2)))[0]) for z in range(14)
    ]
    assert sorted(places) == list(range(14))
    assert np.array_equal(after.magnitude, echoes.magnitude[..., places])
    moved = [abs(place - z) for z, place in enumerate(places) if place != z]
    assert moved == [1] * (2 * round(0.5 * 14 / 2))
