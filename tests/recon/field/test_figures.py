"""What is measured of a field: jumps that unwrapping left, and what noise does not explain."""

import numpy as np
import pytest

from recon.field.figures import field_figures, field_jumps_permille
from recon.field.fit import FieldFit
from recon.types import GradientEcho, Grid

SHAPE = (20, 18, 14)
EVERYWHERE = np.ones(SHAPE, bool)
PAIRS = 19 * 18 * 14 + 20 * 17 * 14 + 20 * 18 * 13
TIMES_S = (0.005, 0.01, 0.015, 0.02)


def smooth():
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    return (0.3 * x + 0.2 * y * z).astype(np.float32)


def test_a_smooth_field_has_no_jumps():
    assert field_jumps_permille(smooth(), EVERYWHERE, turn_ppm=1.0) == 0


@pytest.mark.parametrize("axis", range(3))
def test_each_pair_across_a_step_is_a_jump(axis):
    field = smooth()
    np.moveaxis(field, axis, 0)[9:] += 1.0
    across = field.size // SHAPE[axis]
    assert field_jumps_permille(field, EVERYWHERE, turn_ppm=1.0) == pytest.approx(1000 * across / PAIRS)


def test_a_single_wrong_voxel_has_six_jumps_where_all_count():
    field, where = smooth(), EVERYWHERE.copy()
    field[8, 8, 8] -= 2.0
    assert field_jumps_permille(field, where, turn_ppm=1.0) == pytest.approx(6000 / PAIRS)
    assert field_jumps_permille(field, where, turn_ppm=5.0) == 0
    where[8, 8, 8] = False
    assert field_jumps_permille(field, where, turn_ppm=1.0) == 0


def test_nothing_counted_is_no_jump():
    assert field_jumps_permille(smooth(), np.zeros(SHAPE, bool), turn_ppm=1.0) == 0


def figures(added_rad=0.0, echoes=4):
    """Figures of a flat field fitted to noisy phase, of which one echo is off by ``added_rad``."""
    rng = np.random.default_rng(4)
    times = np.array(TIMES_S[:echoes])[:, None, None, None]
    magnitude = 100.0 + rng.normal(0, 2.0, (echoes, *SHAPE))
    phase = rng.normal(0, 0.02, (echoes, *SHAPE))
    phase[echoes // 2] += added_rad * rng.choice([-1, 1], SHAPE)
    weight = magnitude**2
    slope = np.sum(weight * times * phase, axis=0) / np.sum(weight * times**2, axis=0)
    residual = np.sqrt(np.sum(weight * (phase - slope * times) ** 2, axis=0) / np.sum(weight, axis=0))
    quality = np.where(np.arange(SHAPE[2]) < 7, 0.9, 0.3) * np.ones(SHAPE)
    return field_figures(
        GradientEcho(
            magnitude=magnitude.astype(np.float32),
            phase_rad=phase.astype(np.float32),
            echo_times_s=TIMES_S[:echoes],
            b0_tesla=3.0,
            grid=Grid(shape=SHAPE, voxel_size_mm=(1.0, 1.2, 1.6), b0_direction=(0.0, 0.6, 0.8)),
        ),
        FieldFit(
            field_rad_per_s=smooth(),
            residual_rad=residual.astype(np.float32),
            information=np.ones(SHAPE, np.float32),
            dephasing_rad_per_s=np.zeros(SHAPE, np.float32),
            spread_hz=np.zeros(SHAPE, np.float32),
            refitted_percent=0.5,
        ),
        field_ppm=smooth(),
        quality=quality.astype(np.float32),
        noise_ppm=np.full(SHAPE, 0.002, np.float32),
        reliable=EVERYWHERE & (np.arange(SHAPE[2]) < 12),
        mask=EVERYWHERE,
    )


def test_shares_and_medians_are_those_of_the_mask():
    found = figures()
    assert found["mask_volume_ml"] == pytest.approx(20 * 18 * 14 * 1.92 / 1000)
    assert found["field_noise_median_ppm"] == pytest.approx(0.002)
    assert found["phase_quality_below_half_percent"] == pytest.approx(50.0)
    assert found["unreliable_percent"] == pytest.approx(100 * 2 / 14)


def test_noise_explains_a_noisy_residual():
    found = figures()
    assert found["fit_residual_excess_rad"] < 0.3 * found["linear_fit_residual_median_rad"]


@pytest.mark.parametrize("added_rad", [0.05, 0.2])
def test_what_noise_does_not_explain_is_the_excess(added_rad):
    noise, both = (figures(a)["linear_fit_residual_median_rad"] for a in (0.0, added_rad))
    assert figures(added_rad)["fit_residual_excess_rad"] == pytest.approx(np.sqrt(both**2 - noise**2), rel=0.05)


def test_a_single_echo_has_no_residual():
    assert {"linear_fit_residual_median_rad", "fit_residual_excess_rad"}.isdisjoint(figures(echoes=1))
