"""Bleeds at the brain's surface that brain extraction left out, told from bone by the field around them.

Bleeds, bone and air alike give no signal, and a network that looks for the brain in the magnitude leaves a bleed at its
surface out, or draws it as brain, only for it to be taken for a dropout. The field tells them apart: a bleed is
paramagnetic, bone is diamagnetic by some 2 ppm, air is paramagnetic by more than 9 ppm. So does the brain around it: a
void that was drawn as brain and lies against brain on most of its surface is a bleed or a calcification, whatever its
field. Left out of the mask, it is not seen in the map at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import cc3d
import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from recon.masking.constants import BLEEDS, MASKING
from recon.masking.rim import BrainMask
from recon.operators.boxes import Box, crop_grid, mask_box
from recon.operators.dipole import dipole_field
from recon.operators.morphology import clean
from recon.types import BoolArray, FloatArray, Grid

_COARSE_MM: Final = 2.0
_MOST_VOXELS: Final = 6000
_ROUNDS: Final = 10
_OUTLIER: Final = 2.0
_MAD_TO_SD: Final = 1.4826


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """What the search looks at, cut to the brain's box: ``(x, y, z)`` each."""

    field_ppm: FloatArray
    brain: BoolArray
    raw_brain_mask: BoolArray
    void: BoolArray
    reliable: BoolArray
    grid: Grid


def with_surface_bleeds(
    brain: BrainMask,
    raw_brain_mask: BoolArray,
    field_ppm: FloatArray,
    silent: BoolArray,
    quality: FloatArray,
    grid: Grid,
) -> BrainMask:
    """Return a recognised brain's mask with the bleeds at its surface that were taken for bone or for a dropout.

    Parameters
    ----------
    brain
        The mask; of anything but a recognised brain it is returned as it is.
    raw_brain_mask
        ``(x, y, z)`` bool, the network's own mask.
    field_ppm, quality
        ``(x, y, z)`` float32 total field, and reliability of the phase in 0..1.
    silent
        ``(x, y, z)`` bool, where there is no signal.
    grid
        Geometry.
    """
    if brain.method != "deepbet" or not brain.mask.any():
        return brain
    poor = silent | (quality < MASKING.least_quality)
    bleeds = surface_bleeds(field_ppm, brain=brain.mask, raw_brain_mask=raw_brain_mask, poor=poor, grid=grid)
    if not bleeds.any():
        return brain
    volume_ml = float(bleeds.sum()) * grid.voxel_volume_mm3 / 1000
    warning = (
        f"A void of {volume_ml:.1f} ml at the surface of the extracted brain was taken into the mask, as the field or "
        "the brain around it is what a bleed would leave."
    )
    return replace(brain, mask=clean(brain.mask | bleeds), warnings=(*brain.warnings, warning))


def surface_bleeds(
    field_ppm: FloatArray, *, brain: BoolArray, raw_brain_mask: BoolArray, poor: BoolArray, grid: Grid
) -> BoolArray:
    """Return the voids in dents of a brain mask whose field or surroundings are those of a bleed.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field.
    brain
        ``(x, y, z)`` bool, one part.
    raw_brain_mask
        ``(x, y, z)`` bool, the network's own mask, before anything was left out of it.
    poor
        ``(x, y, z)`` bool, where there is no signal or no phase to rely on.
    grid
        Geometry.

    Returns
    -------
    numpy.ndarray
        ``(x, y, z)`` bool, voxels that belong to the brain although they are not in ``brain``.
    """
    found = np.zeros_like(brain)
    box = _wide_box(brain, grid, BLEEDS.shell_mm)
    cut = crop_grid(grid, box)
    # Voxels that noise alone lifts above the threshold belong to the void around them.
    poor = poor[box] | (ndimage.uniform_filter(poor[box].astype(np.float32), size=3) > 0.5)
    scene = _Scene(
        field_ppm=field_ppm[box],
        brain=brain[box],
        raw_brain_mask=raw_brain_mask[box],
        void=np.asarray(poor & ~brain[box]),
        reliable=np.asarray(~poor & brain[box]),
        grid=cut,
    )
    for radius_mm in BLEEDS.closing_mm:
        for dent in _dents(scene, radius_mm):
            found[box] |= _bleed_of(dent, scene)
    return found


def _dents(scene: _Scene, radius_mm: float) -> Iterator[BoolArray]:
    """Yield the voids in dents of the brain into which a ball does not fit."""
    voids = np.ascontiguousarray(ndimage.binary_opening(_closed(scene.brain, scene.grid, radius_mm) & scene.void))
    labels = cc3d.connected_components(voids, connectivity=6)
    least, most = (volume / scene.grid.voxel_volume_mm3 for volume in (BLEEDS.least_volume_mm3, BLEEDS.most_volume_mm3))
    for number, count in enumerate(np.bincount(labels.ravel())):
        if number and least <= count <= most:
            yield np.asarray(labels == number)


def _bleed_of(dent: BoolArray, scene: _Scene) -> BoolArray:
    """Return the bleed that a void in a dent is part of, or nothing."""
    border = _border(dent, scene)
    inside = float(np.mean(scene.raw_brain_mask[dent])) >= BLEEDS.least_inside_share
    told = np.count_nonzero(dent) * scene.grid.voxel_volume_mm3 >= BLEEDS.least_judged_volume_mm3
    least_gain = BLEEDS.least_gain_inside if inside and border >= BLEEDS.least_border_inside else BLEEDS.least_gain
    if not (told and _is_bleed(dent, scene, least_gain)):
        return dent if inside and border >= BLEEDS.enclosed_share else np.zeros_like(dent)
    whole = _up_to_the_hull(dent, scene)
    likely = np.count_nonzero(whole) <= BLEEDS.most_growth * np.count_nonzero(dent)
    return whole if likely and _border(whole, scene) >= BLEEDS.least_border and _is_bleed(whole, scene) else dent


def _border(void: BoolArray, scene: _Scene) -> float:
    """Return the share of a void's surface on the brain."""
    surface = ndimage.binary_dilation(void) & ~void
    return float(np.count_nonzero(surface & scene.brain)) / max(1, int(np.count_nonzero(surface)))


def _is_bleed(void: BoolArray, scene: _Scene, least_gain: float = BLEEDS.least_gain) -> bool:
    """Return whether the field around a void, and around its part inside the mask, is that of a bleed."""
    inner = _inner_part(void, scene)
    box = _wide_box(void | inner, scene.grid, BLEEDS.shell_mm)
    shell = scene.reliable[box] & _near(void[box] | inner[box], scene.grid, BLEEDS.shell_mm)
    places = np.argwhere(shell)
    sources = [part[box] for part in (void, inner) if part.any()]
    if len(places) < 200:
        return False
    places = places[:: -(-len(places) // _MOST_VOXELS)]
    at = tuple(places.T)
    fields = [
        dipole_field(torch.from_numpy(part.astype(np.float32)), crop_grid(scene.grid, box)).numpy()[at]
        for part in sources
    ]
    chi_ppm, gain = _fitted(scene.field_ppm[box][at].astype(np.float64), fields, places)
    return BLEEDS.least_chi_ppm <= chi_ppm[0] and max(chi_ppm) <= BLEEDS.most_chi_ppm and gain >= least_gain


def _fitted(
    field_ppm: npt.NDArray[np.float64], sources_ppm: list[FloatArray], places: npt.NDArray[np.integer]
) -> tuple[list[float], float]:
    """Return the susceptibility of every source, and the share of the field beyond a polynomial that all explain.

    Parameters
    ----------
    field_ppm
        ``(n,)`` field.
    sources_ppm
        ``(n,)`` field of 1 ppm in each source.
    places
        ``(n, 3)`` voxel indices.
    """
    x, y, z = ((2.0 * places / np.maximum(1, places.max(axis=0))) - 1.0).T
    smooth = [x**i * y**j * z**k for i, j, k in product(range(3), repeat=3) if i + j + k <= 2]
    design = np.stack([*sources_ppm, *smooth], axis=1).astype(np.float64)
    weight = np.ones(len(field_ppm))
    chi: npt.NDArray[np.floating] = np.zeros(design.shape[1])
    left: npt.NDArray[np.floating] = field_ppm
    for _ in range(_ROUNDS):
        chi = _least_squares(design * weight[:, None], field_ppm * weight)
        left = field_ppm - design @ chi
        spread = _MAD_TO_SD * float(np.median(np.abs(left))) + 1e-6
        weight = 1.0 / np.sqrt(1.0 + (left / (_OUTLIER * spread)) ** 2)
    background = design[:, len(sources_ppm) :] * weight[:, None]
    plain = field_ppm * weight
    plain = plain - background @ _least_squares(background, plain)
    return [float(value) for value in chi[: len(sources_ppm)]], 1.0 - float(
        np.sum((left * weight) ** 2) / np.sum(plain**2)
    )


def _least_squares(design: npt.NDArray[np.floating], values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Solve by the normal equations: exact enough, and fast, for a dozen unknowns that are all about one in size."""
    return np.asarray(np.linalg.lstsq(design.T @ design, design.T @ values, rcond=None)[0])


def _inner_part(void: BoolArray, scene: _Scene) -> BoolArray:
    """Return the part of the mask that is near a void, connected to it, and without a reliable field."""
    inner = np.zeros_like(void)
    box = _wide_box(void, scene.grid, BLEEDS.inner_mm)
    poor = scene.brain[box] & ~scene.reliable[box] & _near(void[box], scene.grid, BLEEDS.inner_mm)
    labels = cc3d.connected_components(np.ascontiguousarray(poor | void[box]), connectivity=6)
    inner[box] = poor & (labels == np.bincount(labels[void[box]]).argmax())
    return inner


def _up_to_the_hull(dent: BoolArray, scene: _Scene) -> BoolArray:
    """Return a void in a dent with its continuation up to the convex hull of the brain around it."""
    box = _wide_box(dent, scene.grid, BLEEDS.hull_mm)
    brain = scene.brain[box]
    edge = np.argwhere(brain & ~np.asarray(ndimage.binary_erosion(brain)))
    try:
        equations = ConvexHull(edge * np.asarray(scene.grid.voxel_size_mm)).equations
    except QhullError:
        return dent
    places = np.argwhere(scene.void[box])
    for normal in equations:  # one face after the other: all at once would fill the memory
        places = places[places * np.asarray(scene.grid.voxel_size_mm) @ normal[:3] + normal[3] <= 0]
    within = dent[box].copy()
    within[tuple(places.T)] = True
    whole = np.zeros_like(dent)
    grown = ndimage.binary_propagation(dent[box], mask=ndimage.binary_opening(within) | dent[box])
    whole[box] = _without_specks(np.asarray(grown), brain)
    return whole


def _without_specks(void: BoolArray, brain: BoolArray) -> BoolArray:
    """Return a void with the specks of noise in it that passed for signal."""
    solid = np.pad(void | brain, 2, mode="edge")
    closed = ndimage.binary_closing(solid, structure=np.ones((3, 3, 3), dtype=np.bool_), iterations=2)[2:-2, 2:-2, 2:-2]
    return np.asarray(void | (closed & ~brain & ndimage.binary_dilation(void, iterations=2)))


def _closed(brain: BoolArray, grid: Grid, radius_mm: float) -> BoolArray:
    """Return a mask closed by a ball, on a coarse grid: it says where dents are, not where they end."""
    step = [max(1, round(_COARSE_MM / size)) for size in grid.voxel_size_mm]
    size_mm = [n * size for n, size in zip(step, grid.voxel_size_mm, strict=True)]
    pad = [int(np.ceil(radius_mm / size)) + 1 for size in size_mm]
    coarse = np.pad(brain[:: step[0], :: step[1], :: step[2]], [(n, n) for n in pad], mode="edge")
    grown = ndimage.distance_transform_edt(~coarse, sampling=size_mm) <= radius_mm
    closed = ndimage.distance_transform_edt(grown, sampling=size_mm) > radius_mm
    closed = closed[tuple(slice(n, -n) for n in pad)]
    for axis, n in enumerate(step):
        closed = np.repeat(closed, n, axis=axis)
    x, y, z = brain.shape
    return np.asarray(closed[:x, :y, :z])


def _near(part: BoolArray, grid: Grid, reach_mm: float) -> BoolArray:
    return np.asarray(ndimage.distance_transform_edt(~part, sampling=grid.voxel_size_mm) <= reach_mm)


def _wide_box(part: BoolArray, grid: Grid, margin_mm: float) -> Box:
    """Return the box around a part with a margin, cut at the volume's faces."""
    x, y, z = (int(np.ceil(margin_mm / size)) for size in grid.voxel_size_mm)
    return mask_box(part, margin=(x, y, z))
