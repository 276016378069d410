"""Faults of the headers leave the images as they are, or take an echo away."""

import numpy as np
import pytest

from recon.lab.simulation.faults import headers


def same_images(before, after):
    return after.magnitude is before.magnitude and after.phase_rad is before.phase_rad


@pytest.mark.parametrize("seed", range(4))
def test_times_and_distances_are_off_by_the_factor_either_way(echoes, seed):
    timed = headers.scaled_times(echoes, 1.5, np.random.default_rng(seed))
    ratio = np.divide(timed.echo_times_s, echoes.echo_times_s)
    assert ratio[0] in (pytest.approx(1.5), pytest.approx(1 / 1.5))
    np.testing.assert_allclose(ratio, ratio[0])
    apart = headers.scaled_slices(echoes, 1.5, np.random.default_rng(seed))
    assert apart.grid.voxel_size_mm[:2] == echoes.grid.voxel_size_mm[:2]
    assert apart.grid.voxel_size_mm[2] / echoes.grid.voxel_size_mm[2] in (pytest.approx(1.5), pytest.approx(1 / 1.5))
    assert same_images(echoes, timed)
    assert same_images(echoes, apart)


def test_factors_go_either_way(echoes):
    factors = [headers.scaled_times(echoes, 2.0, np.random.default_rng(s)).echo_times_s[0] for s in range(20)]
    assert len(set(factors)) == 2


def test_each_echo_is_given_the_time_before_its_own(echoes, rng):
    after = headers.first_echo_missing(echoes, 1.0, rng)
    assert after.echo_times_s == echoes.echo_times_s[:-1]
    assert np.array_equal(after.phase_rad, echoes.phase_rad[1:])
    assert np.array_equal(after.magnitude, echoes.magnitude[1:])


@pytest.mark.parametrize("degrees", [5.0, 90.0])
def test_b0_is_tilted_by_so_many_degrees(echoes, rng, degrees):
    after = headers.tilted_field(echoes, degrees, rng)
    cosine = np.dot(after.grid.b0_direction, echoes.grid.b0_direction)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))) == pytest.approx(degrees, abs=0.1)
    assert np.linalg.norm(after.grid.b0_direction) == pytest.approx(1.0)
    assert same_images(echoes, after)
