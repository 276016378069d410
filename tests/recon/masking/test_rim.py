"""The mask on simulated heads and on shapes that are not heads."""

import sys

import numpy as np
import pytest

from recon.engines.deepbet import segment
from recon.errors import InvalidInputError
from recon.field.total import total_field
from recon.masking.brain import _orientations
from recon.masking.constants import MASKING
from recon.masking.head import head_mask
from recon.masking.rim import BrainMask, FoundBrain, find_brain, finish_mask
from recon.operators.morphology import clean, largest_component
from recon.types import GradientEcho, Grid

VOXEL = (3.0, 2.5, 4.0)
GRID = Grid(shape=(66, 84, 46), voxel_size_mm=VOXEL, b0_direction=(0.0, 0.1, 0.995))


def radius(grid=GRID, centre=(0.0, 0.0, 0.0), half_mm=(70.0, 88.0, 70.0)):
    axes = [
        (np.arange(n) - (n - 1) / 2) * d - c for n, d, c in zip(grid.shape, grid.voxel_size_mm, centre, strict=True)
    ]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return np.sqrt((x / half_mm[0]) ** 2 + (y / half_mm[1]) ** 2 + (z / half_mm[2]) ** 2)


def acquisition(magnitude, grid=GRID):
    rng = np.random.default_rng(0)
    noisy = np.abs(magnitude + 0.01 * rng.standard_normal(grid.shape)).astype(np.float32)
    phase = rng.uniform(-np.pi, np.pi, grid.shape).astype(np.float32)
    return GradientEcho(magnitude=noisy[None], phase_rad=phase[None], echo_times_s=(0.01,), b0_tesla=3.0, grid=grid)


def brain_mask(echoes):
    magnitude = echoes.magnitude[0]
    signal = head_mask(magnitude)
    found = find_brain(magnitude, signal, GRID, segment)
    return finish_mask(found, signal, np.ones(GRID.shape, np.float32), np.zeros(GRID.shape, np.float32), GRID)


def finished(brain, quality, field_ppm=None):
    everything = np.ones_like(brain)
    field_ppm = np.zeros(GRID.shape, np.float32) if field_ppm is None else field_ppm
    return finish_mask(FoundBrain(brain=brain, raw_brain_mask=brain), everything, quality, field_ppm, GRID).mask


def sphere_field_ppm(centre, radius_mm, chi_ppm):
    """Field outside a sphere, and inside it the value at its surface."""
    axes = [(np.arange(n) - (n - 1) / 2) * d - c for n, d, c in zip(GRID.shape, VOXEL, centre, strict=True)]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"))
    squared = np.maximum(np.sum(offsets**2, axis=0), radius_mm**2)
    along = np.tensordot(np.array(GRID.b0_direction), offsets, 1)
    return (chi_ppm / 3 * (radius_mm**2 / squared) ** 1.5 * (3 * along**2 / squared - 1)).astype(np.float32)


@pytest.fixture(scope="module")
def head():
    """Brain, dark skull and bright scalp as nested ellipsoids."""
    r = radius()
    magnitude = np.where(r < 0.9, 0.7, np.where(r < 1.0, 0.05, np.where(r < 1.1, 1.0, 0.0)))
    return acquisition(magnitude), r < 0.9


def test_a_head_keeps_its_brain_and_loses_its_scalp(head):
    echoes, brain = head
    found = brain_mask(echoes)
    assert found.method == "deepbet"
    assert 2 * np.count_nonzero(found.mask & brain) / (found.mask.sum() + brain.sum()) > 0.9
    # The networks come without the user interface they are shipped with.
    assert "customtkinter" not in sys.modules


def test_no_brain_gives_the_signal_and_a_warning():
    bars = np.zeros(GRID.shape)
    bars[5:61, 36:50, 18:30] = 1
    found = brain_mask(acquisition(bars))
    assert found.method == "signal"
    assert "No brain" in found.warnings[0]
    assert found.mask[8:58, 39:47, 21:27].all()
    assert not found.mask[:, :30].any()


@pytest.mark.parametrize(("half_mm", "is_brain"), [(70.0, True), (120.0, False)])
def test_what_is_broader_than_a_brain_is_not_one(half_mm, is_brain):
    """The networks are as sure of the kidneys and liver in a real abdomen as of a brain."""
    grid = Grid(shape=(60, 66, 12), voxel_size_mm=(5.0, 4.5, 4.0), b0_direction=(0.0, 1.0, 0.0))
    body = radius(grid, half_mm=(half_mm, half_mm, 1000.0)) < 1
    found = find_brain(body.astype(np.float32), body, grid, lambda stage, volume: (volume > volume.mean()).float())
    assert (found.brain is not None) == is_brain
    assert ("broad" in found.reason) != is_brain


def test_poor_phase_eats_the_rim_but_not_the_core(head):
    _, brain = head
    r = radius()
    quality = np.ones(GRID.shape, np.float32)
    lesion = radius(centre=(10.0, 5.0, 8.0), half_mm=(9.0, 9.0, 9.0)) < 1
    sinus = radius(centre=(0.0, -80.0, 0.0), half_mm=(25.0, 12.0, 20.0)) < 1
    quality[lesion | sinus] = 0.05
    mask = finished(brain, quality)
    assert mask[lesion].all()
    assert not mask[sinus & (r > 0.9 - 0.5 * MASKING.rim_mm / 88) & brain].any()
    assert np.count_nonzero(mask) > 0.97 * np.count_nonzero(brain & ~sinus)


@pytest.mark.parametrize("depth_mm", [9.0, 14.0])
def test_a_bleed_at_the_surface_stays(head, depth_mm):
    _, brain = head
    quality = np.ones(GRID.shape, np.float32)
    bleed = radius(centre=(0.9 * 70.0 - depth_mm, 0.0, 0.0), half_mm=(13.0, 14.0, 14.0)) < 1
    shell = radius() > 0.9 - 4.0 / 70.0
    quality[bleed | shell] = 0.05
    mask = finished(brain, quality)
    assert mask[bleed & brain].mean() > 0.9
    assert not mask[shell & brain & ~bleed].mean() > 0.1


def test_a_field_that_the_voxels_do_not_resolve_eats_the_rim_only(head):
    _, brain = head
    good = np.ones(GRID.shape, np.float32)
    sinus_mm = (0.0, -95.0, 0.0)
    field_ppm = sphere_field_ppm(sinus_mm, 12.0, 9.4)
    mask = finished(brain, good, field_ppm)
    for axis in range(3):
        step = np.abs(np.diff(field_ppm, axis=axis))
        low, high = (np.moveaxis(mask, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        assert np.moveaxis(step, axis, 0)[low & high].max() < MASKING.most_step_ppm
    lost = brain & ~mask
    assert 0 < np.count_nonzero(lost) < 0.02 * np.count_nonzero(brain)
    assert np.all(radius(centre=sinus_mm, half_mm=(30.0, 30.0, 30.0))[lost] < 1)


def test_a_constant_of_the_field_and_its_sign_do_not_change_the_mask(head):
    _, brain = head
    good = np.ones(GRID.shape, np.float32)
    field_ppm = sphere_field_ppm((0.0, -95.0, 0.0), 12.0, 9.4)
    np.testing.assert_array_equal(finished(brain, good, field_ppm), finished(brain, good, 3 - field_ppm))


def test_a_bleed_deep_in_the_brain_stays_however_steep_its_field(head):
    _, brain = head
    good = np.ones(GRID.shape, np.float32)
    bleed_mm = (20.0, 5.0, 8.0)
    np.testing.assert_array_equal(finished(brain, good, sphere_field_ppm(bleed_mm, 9.0, 3.0)), finished(brain, good))


def test_poor_phase_all_over_is_no_error(head):
    _, brain = head
    poor = np.full(GRID.shape, 0.05, np.float32)
    assert finished(np.ones_like(brain), poor).any()
    assert finished(brain, poor).any()


def test_a_bleed_without_signal_stays_though_a_way_leads_out_of_it(head):
    echoes, brain = head
    bleed = radius(centre=(0.0, 52.0, 0.0), half_mm=(16.0, 20.0, 16.0)) < 1
    way = radius(centre=(0.0, 76.0, 0.0), half_mm=(5.0, 30.0, 6.0)) < 1
    magnitude = np.where((bleed | way) & brain, 0.005, echoes.magnitude[0]).astype(np.float32)
    signal = head_mask(magnitude) & ~bleed & ~way
    assert not clean(brain & signal)[bleed].any()
    found = find_brain(magnitude, signal, GRID, segment)
    assert found.brain is not None
    assert found.brain[bleed].mean() > 0.9


def test_clean_drops_islands_and_fills_cavities():
    mask = radius() < 0.6
    hollow = mask & (radius(half_mm=(9.0, 9.0, 9.0)) > 1)
    hollow[2:4, 2:4, 2:4] = True
    np.testing.assert_array_equal(clean(hollow), mask)
    np.testing.assert_array_equal(clean(clean(hollow)), clean(hollow))
    assert not clean(np.zeros(GRID.shape, bool)).any()
    assert not largest_component(np.zeros(GRID.shape, bool)).any()


@pytest.mark.parametrize(
    "direction", [(0.0, 0.1, 0.995), (0.0, 0.1, -0.995), (0.05, -0.99875, 0.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)]
)
def test_every_orientation_puts_the_head_end_last(direction):
    grid = Grid(shape=(5, 6, 7), voxel_size_mm=VOXEL, b0_direction=direction)
    axis = int(np.argmax(np.abs(direction)))
    along = np.moveaxis(np.ones((5, 6, 7), np.float32) * 0, axis, 0)
    ramp = np.arange(grid.shape[axis], dtype=np.float32) * np.sign(direction[axis])
    volume = np.moveaxis(along + ramp[:, None, None], 0, axis)
    for orientation in _orientations(grid):
        turned = orientation.apply(volume)
        assert np.all(np.diff(turned, axis=2) == 1)
        np.testing.assert_array_equal(orientation.undo(turned), volume)


def test_the_mask_of_a_user_wins_but_for_poor_phase_at_its_rim(head):
    echoes, _ = head
    wanted = radius() < 0.3
    result = total_field(echoes, mask=wanted)
    assert not result.mask[~wanted].any()
    assert result.mask[radius() < 0.15].all()
    assert any("at the mask's rim" in warning for warning in result.warnings)


def test_masks_of_another_shape_are_refused(head):
    with pytest.raises(InvalidInputError, match="shape"):
        total_field(head[0], mask=np.ones((3, 3, 3), bool))


def test_a_brain_mask_is_immutable():
    found = BrainMask(mask=np.ones((2, 2, 2), bool), method="given", warnings=())
    with pytest.raises(AttributeError):
        found.method = "other"
