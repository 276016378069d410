"""The conventions that every part keeps, and the refusals of data that breaks them."""

import dataclasses

import numpy as np
import pytest

from recon.errors import InvalidInputError
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho, Grid

GRID = Grid(shape=(5, 4, 3), voxel_size_mm=(0.5, 0.7, 2.0), b0_direction=(0.0, 0.6, 0.8))


def make_echoes(**changes):
    arguments = {
        "magnitude": np.ones((2, 5, 4, 3), np.float32),
        "phase_rad": np.zeros((2, 5, 4, 3), np.float32),
        "echo_times_s": (0.004, 0.009),
        "b0_tesla": 3.0,
        "grid": GRID,
    }
    return GradientEcho(**{**arguments, **changes})


def test_gamma_is_the_proton_value_in_hz_per_tesla():
    # One ppm at 3 T over 20 ms is about 2.55 turns.
    assert pytest.approx(2.5546, abs=1e-3) == GAMMA_HZ_PER_TESLA * 3.0 * 1e-6 * 0.020


def test_data_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GRID.shape = (1, 2, 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"voxel_size_mm": (1.0, 0.0, 1.0)}, "voxel size"),
        ({"voxel_size_mm": (1.0, float("nan"), 1.0)}, "voxel size"),
        ({"b0_direction": (0.0, 0.0, 2.0)}, "unit vector"),
        ({"shape": (3, 0, 4)}, "shape"),
    ],
)
def test_grid_refuses_what_is_no_volume(changes, said):
    with pytest.raises(InvalidInputError, match=said):
        dataclasses.replace(GRID, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"echo_times_s": (0.009, 0.004)}, "strictly increasing"),
        ({"echo_times_s": (0.004, 0.004)}, "strictly increasing"),
        ({"echo_times_s": (4.0, 9.0)}, "milliseconds"),
        ({"echo_times_s": (0.0, 0.004)}, "positive"),
        ({"b0_tesla": 0.0}, "field strength"),
        ({"b0_tesla": float("nan")}, "field strength"),
        ({"magnitude": np.ones((2, 4, 5, 3), np.float32)}, "magnitude has shape"),
        ({"phase_rad": np.zeros((2, 5, 4, 3))}, "phase is float64"),
    ],
)
def test_gradient_echo_refuses_physics_that_is_missing_or_impossible(changes, said):
    with pytest.raises(InvalidInputError, match=said):
        make_echoes(**changes)
