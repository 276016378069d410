"""The mask: the brain in the magnitude, intersected with the quality of the phase."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cc3d
import numpy as np
from scipy import ndimage

from recon.masking.brain import Segmenter, segment_brain
from recon.masking.constants import MASKING
from recon.operators.boxes import Box, mask_box
from recon.operators.morphology import box_filter, clean, grown_within, largest_component
from recon.types import BoolArray, FloatArray, Grid

_LEAST_PART_VOXELS = 1000


@dataclass(frozen=True, kw_only=True)
class BrainMask:
    """Voxels whose field is to be inverted.

    Parameters
    ----------
    mask
        ``(x, y, z)`` bool.
    method
        How it was made: ``"deepbet"``, ``"signal"`` or ``"given"``.
    warnings
        What a reader of the map has to know about it, in sentences.
    """

    mask: BoolArray
    method: str
    warnings: tuple[str, ...]


def _without_rim(brain: BoolArray, left_out: BoolArray, grid: Grid) -> BoolArray:
    """Leave voxels without signal or with poor phase out of the brain's rim.

    A lesion stays, whether it is deep inside or mostly enclosed by good brain.
    """
    kept = np.zeros_like(brain)
    if brain.any():
        box = mask_box(brain, margin=1)
        kept[box] = _without_rim_in_box(brain[box], left_out[box], grid)
    return kept


def _without_rim_in_box(brain: BoolArray, left_out: BoolArray, grid: Grid) -> BoolArray:
    """Do the work of :func:`_without_rim` in the brain's box, of which only the grid's voxel size is used."""
    core = box_filter(brain, grid, MASKING.rim_mm, "erode")
    wanting = brain & left_out
    # A lesion may reach the rim through thick parts, but not spread along the rim's thin shell of poor phase.
    thick = box_filter(wanting, grid, MASKING.lesion_mm, "open")
    deep = box_filter(wanting & core, grid, MASKING.lesion_mm, "open")
    at_the_surface = _enclosed(
        box_filter(wanting, grid, MASKING.surface_lesion_mm, "open"), thick, brain, wanting, grid
    )
    lesion = grown_within(deep | at_the_surface, thick, grid, MASKING.lesion_reach_mm)
    lesion = grown_within(lesion, wanting, grid, 2 * MASKING.lesion_mm)
    return clean(brain & (core | ~wanting | lesion))


def _enclosed(seed: BoolArray, thick: BoolArray, brain: BoolArray, wanting: BoolArray, grid: Grid) -> BoolArray:
    """Return the parts of ``thick`` that hold a seed and have good brain on most of their surface."""
    kept = np.zeros_like(thick)
    labels, _ = ndimage.label(thick)
    boxes = ndimage.find_objects(labels)
    margin = [round(2 * MASKING.lesion_mm / size) + 2 for size in grid.voxel_size_mm]
    for number in np.unique(labels[seed & thick]):
        box = tuple(slice(max(0, b.start - m), b.stop + m) for b, m in zip(boxes[number - 1], margin, strict=True))
        part = labels[box] == number
        whole = grown_within(part, wanting[box], grid, 2 * MASKING.lesion_mm)
        surface = ndimage.binary_dilation(whole) & ~whole
        good = surface & brain[box] & ~wanting[box]
        if good.sum() > MASKING.enclosed_share * surface.sum():
            kept[box] |= part
    return kept


def _steep(field_ppm: FloatArray, mask: BoolArray) -> BoolArray:
    """Return the voxels of a mask whose field is too far from that of a face neighbour in the mask.

    Beside air and bone the field changes so much from voxel to voxel that its differences on the grid no longer obey
    Laplace's equation. Taken as the boundary of the mask, such voxels put a false background into the whole brain.
    """
    found = np.zeros_like(mask)
    for axis in range(3):
        field, inside = np.moveaxis(field_ppm, axis, 0), np.moveaxis(mask, axis, 0)
        step = inside[1:] & inside[:-1] & (np.abs(np.diff(field, axis=0)) > MASKING.most_step_ppm)
        along = np.moveaxis(found, axis, 0)
        along[1:] |= step
        along[:-1] |= step
    return found


def _signal_mask(head: BoolArray, quality: FloatArray, grid: Grid) -> BoolArray:
    """Return what has signal and reliable phase, thin bridges to the scalp cut."""
    mask = head & (quality >= MASKING.least_quality)
    opened = largest_component(box_filter(mask, grid, MASKING.bridge_mm, "erode"))
    return clean(mask & box_filter(opened, grid, MASKING.bridge_mm, "dilate"))


def _breadth_mm(brain: BoolArray, grid: Grid) -> float:
    """Return the second largest of the three extents, which is broad even in a thin slab."""
    extents = [0.0, 0.0]
    for axis, size in enumerate(grid.voxel_size_mm):
        filled = np.flatnonzero(brain.any(axis=tuple(a for a in range(3) if a != axis)))
        extents.append(float(filled[-1] - filled[0] + 1) * size if filled.size else 0.0)
    return sorted(extents)[-2]


@dataclass(frozen=True, kw_only=True)
class FoundBrain:
    """What the network made of the magnitude, before the phase is considered.

    Parameters
    ----------
    brain
        ``(x, y, z)`` bool, one part without cavities; None if no brain was recognised.
    raw_brain_mask
        ``(x, y, z)`` bool, the network's own mask, before voxels without signal were left out of its rim.
    reason
        Why no brain was recognised, in a sentence; else empty.
    """

    brain: BoolArray | None
    raw_brain_mask: BoolArray
    reason: str = ""

    def within(self, box: Box) -> FoundBrain:
        """Return what of it lies in a box."""
        brain = None if self.brain is None else np.ascontiguousarray(self.brain[box])
        return replace(self, brain=brain, raw_brain_mask=np.ascontiguousarray(self.raw_brain_mask[box]))


def find_brain(magnitude: FloatArray, head: BoolArray, grid: Grid, segment: Segmenter) -> FoundBrain:
    """Return the brain that deepbet sees.

    Parameters
    ----------
    magnitude
        ``(x, y, z)`` float32 of the first echo, which has the least dropout beside the sinuses.
    head
        ``(x, y, z)`` bool, voxels with signal.
    """
    raw, sureness = segment_brain(magnitude, grid, segment)
    seen = clean(raw & head)
    volume_ml = float(seen.sum()) * grid.voxel_volume_mm3 / 1000
    share = float(seen.sum()) / max(1, int(head.sum()))
    breadth_mm = _breadth_mm(seen, grid)
    least_mm, most_mm = MASKING.breadth_mm
    likely = sureness >= MASKING.least_sureness and share >= MASKING.least_share
    if likely and volume_ml <= MASKING.most_volume_ml and least_mm <= breadth_mm <= most_mm:
        return FoundBrain(brain=_without_rim(raw, ~head, grid), raw_brain_mask=raw)
    return FoundBrain(
        brain=None,
        raw_brain_mask=raw,
        reason=f"No brain was recognised (network {100 * sureness:.0f} % sure, {volume_ml:.0f} ml, "
        f"{breadth_mm:.0f} mm broad, {100 * share:.0f} % of the signal): the mask holds all voxels with signal "
        "and reliable phase, scalp included.",
    )


def without_doubtful_rim(brain: BoolArray, quality: FloatArray, field_ppm: FloatArray, grid: Grid) -> BoolArray:
    """Return a mask without poor phase or a steep field at its rim; a lesion stays, and so does each of its parts.

    Cavities are filled, and parts too small to have a rim are left as they are. Arrays as in :func:`finish_mask`.
    """
    labels = cc3d.connected_components(np.ascontiguousarray(brain), connectivity=6)
    large = np.bincount(labels.ravel())[1:] >= _LEAST_PART_VOXELS
    kept: BoolArray = brain & ~np.append(False, large)[labels]
    for number in np.flatnonzero(large) + 1:
        part = np.asarray(labels == number)
        mask = _without_rim(part, quality < MASKING.least_rim_quality, grid)
        kept |= _without_rim(mask, _steep(field_ppm, mask), grid)
    return kept


def finish_mask(
    found: FoundBrain, head: BoolArray, quality: FloatArray, field_ppm: FloatArray, grid: Grid
) -> BrainMask:
    """Return the brain without poor phase or a steep field at its rim, or all reliable signal without a brain.

    The mask is one connected part without cavities; its ``method`` is ``"deepbet"``, or ``"signal"`` with a warning.

    Parameters
    ----------
    found
        The brain in the magnitude.
    head
        ``(x, y, z)`` bool, voxels with signal.
    quality
        ``(x, y, z)`` float32 in 0..1, reliability of the phase.
    field_ppm
        ``(x, y, z)`` float32, total field.
    """
    if found.brain is not None:
        return BrainMask(
            mask=without_doubtful_rim(found.brain, quality, field_ppm, grid), method="deepbet", warnings=()
        )
    return BrainMask(mask=_signal_mask(head, quality, grid), method="signal", warnings=(found.reason,))
