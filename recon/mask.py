"""The brain mask: deepbet's networks on the magnitude, intersected with the quality of the phase.

The networks see the volume in the orientation they were trained in (right, anterior, superior). Which image axis is
superior follows from B0; the rest is what is usual in DICOM, and where that is ambiguous (a sagittal and a coronal
stack have the same B0 axis) the orientation in which the network is surest wins.

References
----------
Fisch et al., doi:10.48550/arXiv.2308.07003 (deepbet).
"""

from __future__ import annotations

import importlib.util
import warnings as python_warnings
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import cc3d
import fill_voids
import numpy as np
import torch
from scipy import ndimage

from recon.errors import ReconError
from recon.phase.head import head_mask
from recon.types import BoolArray, FloatArray, GradientEcho, Grid

_LOCATE_SHAPE = (128, 128, 128)
_SEGMENT_SHAPE = (256, 256, 256)
_MARGIN = 0.1
LEAST_QUALITY = 0.3
"""Phase quality below which a voxel at the brain's rim is left out."""
RIM_MM = 8.0
"""How deep poor phase may eat into the brain from outside; deeper down it is a lesion, and stays."""
LEAST_SURENESS = 0.9
"""Mean distance of the network's probabilities from a coin toss, 0..1, below which its mask is not used."""
LEAST_SHARE = 0.04
"""Least share of the head that a brain mask has to fill: below, the network found something else."""
MOST_VOLUME_ML = 2300.0
_HEAD_HEIGHT_MM = 180.0
_PREFERENCE = 0.002
"""How much surer the network has to be to leave the usual orientation."""


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


@dataclass(frozen=True, kw_only=True)
class _Orientation:
    """How to bring a volume to (right, anterior, superior): order of the axes, then which are reversed."""

    axes: tuple[int, int, int]
    reverse: tuple[bool, bool, bool]

    def apply(self, volume: FloatArray) -> FloatArray:
        turned = volume.transpose(self.axes)
        return turned[tuple(slice(None, None, -1 if r else 1) for r in self.reverse)]

    def undo(self, volume: FloatArray) -> FloatArray:
        turned = volume[tuple(slice(None, None, -1 if r else 1) for r in self.reverse)]
        return turned.transpose(np.argsort(self.axes))


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


@cache
def _network(name: str) -> torch.jit.ScriptModule:
    """Load a network out of deepbet's wheel, without importing its user interface."""
    spec = importlib.util.find_spec("deepbet")
    if spec is None or spec.origin is None:
        raise ReconError("package deepbet is not installed: install it, or hand in a mask")
    path = Path(spec.origin).parents[1] / "data" / "models" / name
    with python_warnings.catch_warnings():
        python_warnings.simplefilter("ignore", DeprecationWarning)
        network: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu")
    return network.eval()


def _resampled(volume: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.nn.functional.interpolate(volume[None, None], shape, mode="nearest-exact")[0, 0]


def _probability(name: str, volume: torch.Tensor, low: float, high: float) -> torch.Tensor:
    scaled = ((volume - low) / max(high - low, 1e-12)).clamp(0, 1)
    scaled = 0.226 * (scaled - scaled.mean()) / scaled.std().clamp_min(1e-6) + 0.449
    with torch.inference_mode():
        probability: torch.Tensor = _network(name)(scaled[None, None])[0, 1]
    return probability


def largest_component(mask: BoolArray) -> BoolArray:
    """Return the largest face-connected part of a mask."""
    labels = cc3d.connected_components(np.ascontiguousarray(mask), connectivity=6)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    if sizes.sum() == 0:
        return mask
    part: BoolArray = labels == int(sizes.argmax())
    return part


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
    margin = _MARGIN * (stop - start)
    return slice(max(0, int(start - margin)), min(size, int(np.ceil(stop + margin))))


def _locate(volume: torch.Tensor) -> _Location:
    small = _resampled(volume, _LOCATE_SHAPE)
    ends = torch.quantile(small.reshape(-1), torch.tensor([0.005, 0.995]))
    low, high = float(ends[0]), float(ends[1])
    probability = _probability("bbox_model.pt", small, low, high).numpy()
    brain = largest_component(probability > 0.5)
    box = None
    if all((brain.mean(axis=others) > 0.02).any() for others in ((1, 2), (0, 2), (0, 1))):
        x, y, z = (_span(brain, axis, size) for axis, size in enumerate(volume.shape))
        box = (x, y, z)
    return _Location(box=box, sureness=_sureness(probability), low=low, high=high)


def _padded(volume: FloatArray, height_voxels: int) -> tuple[FloatArray, int]:
    """Return the volume with empty slices below and above, and how many are below.

    The networks stretch what they get to a cube; a slab has to look like a part of a head, not like a flat one.
    """
    missing = max(0, height_voxels - volume.shape[2])
    below = missing // 2
    return np.pad(volume, ((0, 0), (0, 0), (below, missing - below))), below


def _segment(magnitude: FloatArray, grid: Grid) -> tuple[BoolArray, float]:
    """Return deepbet's brain and how sure its network is, 0..1."""
    best: tuple[_Location, _Orientation, torch.Tensor, int] | None = None
    for orientation in _orientations(grid):
        height = grid.voxel_size_mm[orientation.axes[2]]
        volume, below = _padded(orientation.apply(magnitude), round(_HEAD_HEIGHT_MM / height))
        tensor = torch.from_numpy(np.ascontiguousarray(volume))
        location = _locate(tensor)
        if best is None or location.sureness > best[0].sureness + _PREFERENCE:
            best = (location, orientation, tensor, below)
    assert best is not None
    location, orientation, tensor, below = best
    brain = np.zeros(tensor.shape, np.bool_)
    if location.box is None:
        return orientation.undo(brain[:, :, below : below + magnitude.shape[orientation.axes[2]]]), 0.0
    region = tensor[location.box]
    inside = _probability("model.pt", _resampled(region, _SEGMENT_SHAPE), location.low, location.high)
    probability = _resampled(inside, tuple(region.shape)).numpy()
    brain[location.box] = probability > 0.5
    own = brain[:, :, below : below + magnitude.shape[orientation.axes[2]]]
    return np.ascontiguousarray(orientation.undo(own)), _sureness(probability)


def _box_filter(mask: BoolArray, grid: Grid, radius_mm: float, extreme: str) -> BoolArray:
    """Erode or dilate by a box with half-widths of about a radius; nothing is eaten from the volume's faces."""
    out = mask.astype(np.uint8)
    run = ndimage.minimum_filter1d if extreme == "erode" else ndimage.maximum_filter1d
    for axis, size in enumerate(grid.voxel_size_mm):
        reach = round(radius_mm / size)
        if reach > 0:
            out = run(out, 2 * reach + 1, axis=axis, mode="nearest")
    grown: BoolArray = out.astype(np.bool_)
    return grown


def clean(mask: BoolArray) -> BoolArray:
    """Return the largest part of a mask with its cavities filled."""
    filled: BoolArray = fill_voids.fill(largest_component(mask)).astype(np.bool_)
    return filled


def _without_poor_rim(brain: BoolArray, quality: FloatArray | None, grid: Grid) -> BoolArray:
    """Leave voxels of poor phase out of the brain's rim; a lesion deeper inside stays."""
    if quality is None:
        return clean(brain)
    core = _box_filter(brain, grid, RIM_MM, "erode")
    return clean(brain & (core | (quality >= LEAST_QUALITY)))


def _signal_mask(echoes: GradientEcho, quality: FloatArray | None) -> BoolArray:
    """Return what has signal and reliable phase, thin bridges to the scalp cut."""
    mask = head_mask(echoes.magnitude[0])
    if quality is not None:
        mask &= quality >= LEAST_QUALITY
    thickness = 1.5
    opened = largest_component(_box_filter(mask, echoes.grid, thickness, "erode"))
    return clean(mask & _box_filter(opened, echoes.grid, thickness, "dilate"))


def brain_mask(echoes: GradientEcho, *, quality: FloatArray | None = None) -> BrainMask:
    """Return the brain, or all reliable signal where no brain is found.

    Parameters
    ----------
    echoes
        The first echo's magnitude is used: it has the least dropout beside the sinuses.
    quality
        ``(x, y, z)`` float32 in 0..1, reliability of the phase; None leaves the intersection out.

    Returns
    -------
    BrainMask
        One connected part without cavities. ``method`` is ``"deepbet"``, or ``"signal"`` with a warning.
    """
    grid = echoes.grid
    head = head_mask(echoes.magnitude[0])
    found, sureness = _segment(echoes.magnitude[0], grid)
    brain = clean(found & head) if (found & head).any() else found
    volume_ml = float(brain.sum()) * grid.voxel_volume_mm3 / 1000
    share = float(brain.sum()) / max(1, int(head.sum()))
    if sureness >= LEAST_SURENESS and share >= LEAST_SHARE and volume_ml <= MOST_VOLUME_ML:
        return BrainMask(mask=_without_poor_rim(brain, quality, grid), method="deepbet", warnings=())
    reason = (
        f"No brain was recognised (network {100 * sureness:.0f} % sure, {volume_ml:.0f} ml, {100 * share:.0f} % of "
        "the signal): the mask holds all voxels with signal and reliable phase, scalp included."
    )
    return BrainMask(mask=_signal_mask(echoes, quality), method="signal", warnings=(reason,))
