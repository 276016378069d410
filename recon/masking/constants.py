"""Constants of masking that were tuned on data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class MaskingConstants:
    """Tuned on simulated heads and patients that serve nothing else (``Purpose.TUNING``); most on a real head too."""

    # Brain extraction
    box_margin: float = 0.1
    """How much of its extent the brain's box is widened by on each side before the second network sees it."""
    head_height_mm: float = 180.0
    """Slabs are padded to this height: the networks stretch a volume to a cube, and a slab must not look like a flat
    head."""
    orientation_preference: float = 0.002
    """How much surer the network has to be to leave the usual orientation."""
    sure_enough: float = 0.97
    """Sureness at which an axial volume is not tried upside down as well."""
    least_sureness: float = 0.9
    """Mean distance of the network's probabilities from a coin toss, 0..1, below which its mask is not used."""
    least_share: float = 0.04
    """Least share of the head that a brain mask has to fill: below, the network found something else."""
    most_volume_ml: float = 2300.0
    """Most volume of a brain."""
    breadth_mm: tuple[float, float] = (60.0, 200.0)
    """Least and most second extent of a brain, also of a slab through one. In the magnitude of five real abdomens the
    networks are 98 % sure of a brain, 222 to 286 mm broad; a real brain is 147 mm broad."""
    small_island_share: float = 0.02
    """Parts of the head smaller than this share of the largest are specks."""

    # Rim
    least_quality: float = 0.3
    """Phase quality below which a voxel counts as poor where no brain was recognised, and beside voids."""
    least_rim_quality: float = 0.2
    """Phase quality below which a voxel at the brain's rim is left out. Searched 0.1 0.2 0.3 together with
    ``most_step_ppm``: 0.3 eats calcifications at the surface and cortex at 7 T (NRMSE from the true field 42 against
    32, lesion-hard 61, and 45 against 41, 7t-hard 64); 0.1 lets in what is not brain (28 against 27, healthy 50)."""
    most_step_ppm: float = 0.2
    """Most change of the field from a voxel at the brain's rim to the next one: more is not resolved by the voxels,
    whatever their size. Tuned on healthy 50 and 7t 53 of 2 mm with subvoxels, and on a head of 2 mm of another
    forward model. Searched 0.1 to 0.4: from 0.15 to 0.3 the NRMSE from the true field changes by less than one point
    on the first two; on the last one it is 42 at 0.1, 36 at 0.2 and 109 at 0.4 where poor phase stays in."""
    rim_mm: float = 8.0
    """How deep poor phase or a steep field may eat into the brain from outside; deeper down it is a lesion, and
    stays."""
    lesion_mm: float = 1.5
    """Half the least breadth of poor phase deep in the brain that counts as a lesion and not as scattered noise."""
    surface_lesion_mm: float = 2.5
    """The same at the brain's surface, where a shell of poor phase is usual."""
    enclosed_share: float = 0.55
    """Share of a lesion's surface that lies against good brain: a dropout above a sinus has a cap there, half at
    most."""
    lesion_reach_mm: float = 40.0
    """How far a lesion may reach from where it is deep."""
    bridge_mm: float = 1.5
    """Half the breadth of bridges between brain and scalp that are cut where no brain was recognised."""


@dataclass(frozen=True, kw_only=True)
class SurfaceBleedConstants:
    """Of bleeds at the surface, which are taken into the mask on request only: tuned on simulated heads alone.

    Tuned on surface bleeds of the tuning patients 2052, 2076, 2080 and 2124, and on voids that are not bleeds in the
    same, in patients 2001, 2017, 2072, 2092, 2109 and 2114, in healthy 800, oblique 802, steep 803, swi 804 and 7t 806;
    voids that the network drew as brain, on 480 dents of all such patients and heads.
    """

    least_chi_ppm: float = 0.15
    """Least susceptibility of a bleed against the brain: bone fits at -4 to -1."""
    most_chi_ppm: float = 2.2
    """Most of it: bone and the air of a sinus together fit at 2.4 and more."""
    least_gain: float = 0.34
    """Share of the squared field around a void that it has to explain beyond a smooth background: bleeds reach 0.35 to
    0.85, other voids that fit the susceptibility of a bleed at most 0.33."""
    least_inside_share: float = 0.9
    """Share of a void that the network drew as brain, from which on it is more likely brain than not."""
    least_gain_inside: float = 0.05
    """What such a void with ``least_border_inside`` has to explain: a weak bleed beside a strong background explains
    0.08, and the only other void that passes is half brain."""
    least_border_inside: float = 0.45
    """Share of its surface on the brain for that."""
    enclosed_share: float = 0.58
    """Share of such a void's surface on the brain, from which on it is taken in whatever its field: all thirteen that
    have it are brain by three quarters or more; bone that was drawn as brain reaches 0.56."""
    least_volume_mm3: float = 50.0
    """Smaller dents are noise."""
    most_volume_mm3: float = 20_000.0
    """Larger ones are the base of the skull."""
    least_judged_volume_mm3: float = 150.0
    """The field of smaller voids cannot be told from noise."""
    closing_mm: tuple[float, float] = (10.0, 20.0)
    """Radii of balls that do not fit into the dents that bleeds leave in the brain: the dents of the larger one include
    clefts full of bone, from which the smaller one separates a bleed."""
    least_border: float = 0.55
    """Share of a bleed's surface on the brain, from which on it is taken to extend to where the brain once ended: 0.57
    to 0.78; less, and it has run into bone."""
    most_growth: float = 25.0
    """How many times its dent a bleed may be that extends to the hull: up to 20 times in tuning patients; what extends
    further is the base of the skull beside a bleed."""
    shell_mm: float = 12.0
    """Breadth of the shell in which a void's field is compared."""
    inner_mm: float = 25.0
    """How far a bleed may extend inside the mask."""
    hull_mm: float = 15.0
    """How much of the brain around a bleed shows where the brain ended."""


MASKING: Final = MaskingConstants()
BLEEDS: Final = SurfaceBleedConstants()
