"""deepbet's networks on arrays: where the brain is in a magnitude volume.

The networks see the volume in the orientation they were trained in (right, anterior, superior). Which image axis is
superior follows from B0; the rest is what is usual in DICOM, and where that is ambiguous (a sagittal and a coronal
stack have the same B0 axis) the orientation in which the network is surest wins.

References
----------
Fisch et al., doi:10.48550/arXiv.2308.07003 (deepbet).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from recon.masking.constants import MASKING
from recon.operators.morphology import largest_component
from recon.types import BoolArray, FloatArray, Grid

Stage = Literal["locate", "segment"]

Segmenter = Callable[[Stage, torch.Tensor], torch.Tensor]
"""deepbet's networks: the probability of brain in a normalised volume ``(x, y, z)``, in the same shape. The first one
is given the whole head and finds where to look; the second one is given that part and outlines the brain."""

_LOCATE_SHAPE = (128, 128, 128)
_SEGMENT_SHAPE = (256, 256, 256)

Scalar = TypeVar("Scalar", np.float32, np.bool_)


@dataclass(frozen=True, kw_only=True)
class _Orientation:
    """How to bring a volume to (right, anterior, superior): order of the axes, then which are reversed."""

    axes: tuple[int, int, int]
    reverse: tuple[bool, bool, bool]

    def apply(self, volume: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Return a canonical view of an image volume."""
        return np.flip(volume.transpose(self.axes), self._reversed())

    def undo(self, volume: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Return an image view of a canonical volume."""
        x, y, z = (self.axes.index(axis) for axis in range(3))
        return np.flip(volume, self._reversed()).transpose(x, y, z)

    def _reversed(self) -> tuple[int, ...]:
        return tuple(axis for axis, reverse in enumerate(self.reverse) if reverse)


def _orientations(grid: Grid) -> list[_Orientation]:
    """Return candidate orientations, the usual one first."""
    b = grid.b0_direction
    superior = int(np.argmax(np.abs(b)))
    down = b[superior] < 0
    first, second = (a for a in range(3) if a != superior)
    if superior == 2:
        # Axial: x to the patient's left, y to the back.
        return [_Orientation(axes=(0, 1, 2), reverse=(True, reverse, down)) for reverse in (True, False)]
    return [
        _Orientation(axes=(right, anterior, superior), reverse=(False, reverse, down))
        for (right, anterior), reverse in product(((second, first), (first, second)), (True, False))
    ]


def _resampled(volume: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.nn.functional.interpolate(volume[None, None], shape, mode="nearest-exact")[0, 0]


def _normalised(volume: torch.Tensor, shape: tuple[int, int, int], low: float, high: float) -> torch.Tensor:
    """Return grey values between two limits, resampled, with the mean and spread that the networks were trained with.

    The resampled volume is large, and worked on in place.
    """
    scaled = _resampled(((volume - low) / max(high - low, 1e-12)).clamp_(0, 1), shape)
    count = scaled.numel()
    mean = float(scaled.sum(dim=-1).double().sum()) / count
    squares = float(torch.linalg.vector_norm(scaled, dim=-1).double().square().sum())
    spread = math.sqrt(max(squares - count * mean**2, 0.0) / (count - 1))
    scale = 0.226 / max(spread, 1e-6)
    return scaled.mul_(scale).add_(0.449 - scale * mean)


@dataclass(frozen=True, kw_only=True)
class _Location:
    """Where a brain is in a canonical volume, how sure the network is, and the range of grey values."""

    box: tuple[slice, slice, slice] | None
    sureness: float
    low: float
    high: float


def _sureness(probability: FloatArray) -> float:
    """Return the mean distance from a coin toss, 0..1, of voxels that may be brain."""
    possible = probability[probability > 0.05]
    return float(np.abs(2 * possible - 1).mean()) if possible.size else 0.0


def _span(brain: BoolArray, axis: int, size: int) -> slice:
    """Return the range of full-resolution voxels that the brain occupies along an axis, with a margin."""
    others = tuple(a for a in range(3) if a != axis)
    filled = np.flatnonzero(brain.mean(axis=others) > 0.02)
    scale = size / brain.shape[axis]
    start, stop = float(filled[0]) * scale, float(filled[-1] + 1) * scale
    margin = MASKING.box_margin * (stop - start)
    return slice(max(0, int(start - margin)), min(size, int(np.ceil(stop + margin))))


def _locate(volume: torch.Tensor, segment: Segmenter) -> _Location:
    small = _resampled(volume, _LOCATE_SHAPE)
    low, high = (float(end) for end in np.quantile(small.numpy(), (0.005, 0.995)))
    probability = segment("locate", _normalised(small, _LOCATE_SHAPE, low, high)).numpy()
    brain = largest_component(probability > 0.5)
    box = None
    if all((brain.mean(axis=others) > 0.02).any() for others in ((1, 2), (0, 2), (0, 1))):
        x, y, z = (_span(brain, axis, size) for axis, size in enumerate(volume.shape))
        box = (x, y, z)
    return _Location(box=box, sureness=_sureness(probability), low=low, high=high)


def _padded(volume: FloatArray, height_voxels: int) -> tuple[FloatArray, int]:
    """Return the volume with empty slices below and above, and how many are below.

    The networks stretch a volume to a cube; a slab has to look like a part of a head, not like a flat head.
    """
    missing = max(0, height_voxels - volume.shape[2])
    below = missing // 2
    return np.pad(volume, ((0, 0), (0, 0), (below, missing - below))), below


@dataclass(frozen=True, kw_only=True)
class _View:
    """A volume in one orientation, and what the network sees in it."""

    orientation: _Orientation
    volume: torch.Tensor
    location: _Location
    slices: slice


def _view(magnitude: FloatArray, grid: Grid, segment: Segmenter, orientation: _Orientation) -> _View:
    superior = orientation.axes[2]
    volume, below = _padded(orientation.apply(magnitude), round(MASKING.head_height_mm / grid.voxel_size_mm[superior]))
    tensor = torch.from_numpy(np.ascontiguousarray(volume))
    return _View(
        orientation=orientation,
        volume=tensor,
        location=_locate(tensor, segment),
        slices=slice(below, below + magnitude.shape[superior]),
    )


def _best_view(magnitude: FloatArray, grid: Grid, segment: Segmenter) -> _View:
    usual, *others = _orientations(grid)
    best = _view(magnitude, grid, segment, usual)
    if usual.axes[2] == 2 and best.location.sureness >= MASKING.sure_enough:
        return best
    for orientation in others:
        view = _view(magnitude, grid, segment, orientation)
        if view.location.sureness > best.location.sureness + MASKING.orientation_preference:
            best = view
    return best


def segment_brain(magnitude: FloatArray, grid: Grid, segment: Segmenter) -> tuple[BoolArray, float]:
    """Return the brain that the networks see in a magnitude, both ``(x, y, z)``, and how sure they are.

    Their sureness is the mean distance of the probabilities from a coin toss, 0..1; the grid decides the orientation.
    """
    view = _best_view(magnitude, grid, segment)
    brain = np.zeros(tuple(view.volume.shape), np.bool_)
    sureness = 0.0
    location = view.location
    if location.box is not None:
        region = view.volume[location.box]
        cube = _normalised(region, _SEGMENT_SHAPE, location.low, location.high)
        probability = _resampled(segment("segment", cube), tuple(region.shape)).numpy()
        brain[location.box] = probability > 0.5
        sureness = _sureness(probability)
    return np.ascontiguousarray(view.orientation.undo(brain[:, :, view.slices])), sureness
