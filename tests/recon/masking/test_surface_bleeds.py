"""Voids in dents of a brain mask: bleeds are taken in, bone, air and what no field speaks for are not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.masking.rim import BrainMask
from recon.masking.surface_bleeds import surface_bleeds, with_surface_bleeds
from recon.operators.dipole import dipole_field
from recon.types import Grid

SHAPE, SIZE_MM = (72, 64, 40), (1.2, 1.4, 2.2)
GRID = Grid(shape=SHAPE, voxel_size_mm=SIZE_MM, b0_direction=(0.0, 0.5, 0.75**0.5))
BLEED, BONE, AIR = 0.8, -2.1, 9.4


def axes_mm():
    return np.meshgrid(*((np.arange(n) - n / 2) * s for n, s in zip(SHAPE, SIZE_MM, strict=True)), indexing="ij")


def head(chi_ppm, *, at_mm=-28.0, noise_ppm=0.002):
    """Return a field, a brain mask with a dent, where there is poor phase, and the void in the dent."""
    x, y, z = axes_mm()
    skull = (x / 38) ** 2 + (y / 40) ** 2 + (z / 38) ** 2
    brain = (x / 34) ** 2 + (y / 36) ** 2 + (z / 34) ** 2 < 1
    void = brain & ((x - at_mm) ** 2 + (y - 4) ** 2 + (z - 2) ** 2 < 13**2)
    generator = np.random.default_rng(5)
    tissue = np.where(brain, 0.03 * generator.standard_normal(SHAPE), 0.0)
    chi = np.where(void, chi_ppm, tissue) - 2.0 * ((skull < 1) & ~brain)
    field = dipole_field(torch.from_numpy(chi.astype(np.float32)), GRID).numpy()
    field += (noise_ppm * generator.standard_normal(SHAPE) + 0.004 * x - 2e-5 * y * z).astype(np.float32)
    poor = ~brain | void
    return np.where(poor, generator.uniform(-2, 2, SHAPE), field).astype(np.float32), brain & ~void, poor, void


def found(chi_ppm):
    field, brain, poor, void = head(chi_ppm)
    return surface_bleeds(field, brain=brain, raw_brain_mask=brain, poor=poor, grid=GRID), brain, void


@pytest.mark.parametrize("chi_ppm", [0.4, BLEED, 2.0])
def test_a_bleed_that_brain_extraction_left_out_is_taken_in(chi_ppm):
    bleed, brain, void = found(chi_ppm)
    assert (bleed & void).sum() > 0.7 * void.sum()
    assert (bleed & ~void).sum() < 0.1 * void.sum()
    assert not (bleed & brain).any()


@pytest.mark.parametrize("chi_ppm", [BONE, AIR, 0.0])
def test_bone_air_and_water_without_signal_stay_out(chi_ppm):
    assert not found(chi_ppm)[0].any()


def test_the_smooth_field_of_sources_elsewhere_changes_nothing():
    field, brain, poor, _ = head(BLEED)
    x, y, z = axes_mm()
    first = surface_bleeds(field, brain=brain, raw_brain_mask=brain, poor=poor, grid=GRID)
    tilted = (field + 0.5 - 0.01 * z + 1e-4 * (x**2 - y**2)).astype(np.float32)
    again = surface_bleeds(tilted, brain=brain, raw_brain_mask=brain, poor=poor, grid=GRID)
    assert (first ^ again).sum() <= 0.02 * first.sum()


def test_specks_of_noise_in_the_void_are_taken_in_with_it():
    field, brain, poor, void = head(BLEED)
    specks = void & (np.random.default_rng(6).random(SHAPE) < 0.1)
    bleed = surface_bleeds(field, brain=brain, raw_brain_mask=brain, poor=poor & ~specks, grid=GRID)
    around = bleed & ~specks
    inner = specks & np.roll(around, 1, 0) & np.roll(around, -1, 0) & np.roll(around, 1, 1) & np.roll(around, -1, 1)
    assert inner.sum() > 10
    assert (bleed & inner).sum() == inner.sum()


def test_a_brain_without_dents_gains_nothing_and_neither_does_a_speck():
    field, brain, poor, void = head(0.0)
    whole = brain | void
    assert not surface_bleeds(field, brain=whole, raw_brain_mask=whole, poor=poor & ~void, grid=GRID).any()
    small = np.zeros_like(brain)
    small[36, 32, 20] = True
    assert not surface_bleeds(field, brain=small, raw_brain_mask=small, poor=~small, grid=GRID).any()


def test_a_bleed_at_the_end_of_a_slab_is_taken_in():
    field, brain, poor, void = (volume[:, :, 4:22] for volume in head(BLEED))
    slab = Grid(shape=field.shape, voxel_size_mm=SIZE_MM, b0_direction=GRID.b0_direction)
    bleed = surface_bleeds(field, brain=brain, raw_brain_mask=brain, poor=poor, grid=slab)
    assert (bleed & void).sum() > 0.6 * void.sum()


@pytest.mark.parametrize("chi_ppm", [BONE, 0.0, BLEED])
def test_what_was_drawn_as_brain_and_brain_encloses_is_taken_in_whatever_its_field(chi_ppm):
    field, brain, poor, void = head(chi_ppm)
    taken = surface_bleeds(field, brain=brain, raw_brain_mask=brain | void, poor=poor, grid=GRID)
    assert (taken & void).sum() > 0.6 * void.sum()
    assert (taken & ~void).sum() < 0.1 * void.sum()


def test_what_was_drawn_as_brain_but_lies_open_is_judged_by_its_field():
    field, brain, poor, void = head(BONE, at_mm=-34.0)
    assert not surface_bleeds(field, brain=brain, raw_brain_mask=brain | void, poor=poor, grid=GRID).any()


def test_what_was_drawn_as_brain_needs_less_of_a_field():
    field, brain, poor, void = head(0.3, at_mm=-34.0, noise_ppm=0.03)
    assert not surface_bleeds(field, brain=brain, raw_brain_mask=brain, poor=poor, grid=GRID).any()
    taken = surface_bleeds(field, brain=brain, raw_brain_mask=brain | void, poor=poor, grid=GRID)
    assert (taken & void).sum() > 0.3 * void.sum()  # the dent, not what goes on to the hull
    assert (taken & ~void).sum() < 0.1 * void.sum()


def test_a_small_void_counts_if_brain_encloses_it_and_it_was_drawn():
    field, brain, poor, void = head(0.0)
    brain, poor = brain | void, poor & ~void
    x, y, z = axes_mm()
    speck = brain & (x**2 + (y + 32) ** 2 + z**2 < 3.2**2)
    assert 50 < speck.sum() * np.prod(SIZE_MM) < 150
    whole, brain, poor = brain, brain & ~speck, poor | speck
    assert not surface_bleeds(field, brain=brain, raw_brain_mask=brain, poor=poor, grid=GRID).any()
    taken = surface_bleeds(field, brain=brain, raw_brain_mask=whole, poor=poor, grid=GRID)
    assert (taken & speck).sum() > 0.5 * speck.sum()


def test_a_small_dent_does_not_take_in_a_void_many_times_its_size():
    x, y, z = axes_mm()
    brain = (x / 34) ** 2 + (y / 36) ** 2 + (z / 34) ** 2 < 1
    bowl = brain & ((x + 40) ** 2 + y**2 + z**2 < 26**2)
    dent = brain & ~bowl & ((x + 13) ** 2 + y**2 + z**2 < 5**2)
    void = bowl | dent
    generator = np.random.default_rng(5)
    chi = np.where(void, 0.6, np.where(brain, 0.03 * generator.standard_normal(SHAPE), 0.0))
    field = dipole_field(torch.from_numpy(chi.astype(np.float32)), GRID).numpy()
    field = (field + 0.002 * generator.standard_normal(SHAPE)).astype(np.float32)
    taken = surface_bleeds(field, brain=brain & ~void, raw_brain_mask=brain & ~void, poor=~brain | void, grid=GRID)
    assert 0 < taken.sum() < 2 * dent.sum() < 0.2 * void.sum()


def test_a_recognised_brain_takes_a_bleed_in_and_says_so():
    field, mask, poor, void = head(BLEED)
    brain = BrainMask(mask=mask, method="deepbet", warnings=("before",))
    quality = np.where(poor, 0, 1).astype(np.float32)
    whole = with_surface_bleeds(brain, mask, field, np.zeros_like(mask), quality, GRID)
    assert (whole.mask & void).sum() > 0.7 * void.sum()
    assert whole.mask[mask].all()
    assert whole.warnings[0] == "before"
    assert "ml at the surface of the extracted brain" in whole.warnings[1]
    signal = replace(brain, method="signal")
    assert with_surface_bleeds(signal, mask, field, np.zeros_like(mask), quality, GRID) is signal
