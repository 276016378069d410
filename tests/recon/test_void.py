"""Voids of bleeds at the brain's surface: taken in as a whole where the brain walls them in."""

import numpy as np
import pytest

from recon.mask import FoundBrain, finish_mask
from recon.void import box_opened, with_whole_voids
from tests.recon.test_mask import GRID, acquisition, radius

BRAIN = radius(half_mm=(60.0, 75.0, 60.0)) < 1
SKULL = (radius(half_mm=(66.0, 81.0, 66.0)) < 1) & ~BRAIN
VOID = radius(centre=(46.0, 0.0, 0.0), half_mm=(13.0, 16.0, 15.0)) < 1
CUT = BRAIN & ~(VOID & (np.indices(GRID.shape)[0] > 33 + 46 / 3))
"""The brain as a network sees it that cuts through the void."""


def test_a_void_that_is_cut_is_taken_in_as_a_whole():
    dark = VOID | ~BRAIN
    whole, added_ml = with_whole_voids(CUT, dark, GRID)
    assert whole[VOID & BRAIN].mean() > 0.9 > CUT[VOID & BRAIN].mean() + 0.2
    assert not whole[~BRAIN & ~VOID].any()
    assert added_ml == pytest.approx((whole & ~CUT).sum() * GRID.voxel_volume_mm3 / 1000)
    assert added_ml > 1
    again, nothing = with_whole_voids(whole, dark, GRID)
    assert nothing < 0.1 * added_ml
    assert (again | whole).sum() == again.sum()


def test_a_brain_without_voids_stays_as_it_is():
    for dark in (np.zeros_like(BRAIN), ~BRAIN, SKULL):
        whole, added_ml = with_whole_voids(BRAIN, dark, GRID)
        np.testing.assert_array_equal(whole, BRAIN)
        assert added_ml == 0


def test_a_dent_that_holds_bone_is_not_brain():
    """The network sees none of it as brain, though brain walls it in on most sides."""
    bone = radius(centre=(0.0, 0.0, -52.0), half_mm=(14.0, 14.0, 16.0)) < 1
    brain = BRAIN & ~bone
    whole, _ = with_whole_voids(brain, ~brain, GRID)
    np.testing.assert_array_equal(whole, brain)


def test_a_void_that_is_open_to_the_skull_is_left():
    """A dropout above a sinus: a cap of it lies in the mask, most of its surface against what is no brain."""
    sinus = radius(centre=(0.0, -78.0, 0.0), half_mm=(22.0, 14.0, 18.0)) < 1
    whole, added_ml = with_whole_voids(BRAIN, sinus | ~BRAIN, GRID)
    np.testing.assert_array_equal(whole, BRAIN)
    assert added_ml == 0


def test_the_mask_says_that_a_void_was_taken_in():
    echoes = acquisition(np.where(BRAIN & ~VOID, 0.7, 0.0))
    quality = np.where(BRAIN & ~VOID, 1, 0.05).astype(np.float32)
    whole, added_ml = with_whole_voids(CUT, VOID | ~BRAIN, GRID)
    found = FoundBrain(brain=CUT & ~VOID, whole=whole, void_ml=added_ml)
    mask = finish_mask(echoes, found, quality)
    assert f"{added_ml:.1f} ml without signal" in mask.warnings[0]
    assert mask.mask[VOID & BRAIN].mean() > 0.85
    assert finish_mask(echoes, FoundBrain(brain=BRAIN, whole=BRAIN), quality).warnings == ()


def test_opening_keeps_what_is_broad_and_is_idempotent():
    rng = np.random.default_rng(1)
    mask = (radius(half_mm=(30.0, 30.0, 30.0)) < 1) | (rng.random(GRID.shape) < 0.05)
    opened = box_opened(mask, GRID, 3.0)
    assert not (opened & ~mask).any()
    np.testing.assert_array_equal(box_opened(opened, GRID, 3.0), opened)
    assert opened[radius(half_mm=(20.0, 20.0, 20.0)) < 1].all()
    assert opened.sum() < 0.9 * mask.sum()
