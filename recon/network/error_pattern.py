"""Where in a map errors are large: a pattern that distributes the error expected of the whole brain over its voxels.

The logarithm of a voxel's error is a weighted sum of what is known there: noise of the field, the field that the map
leaves unexplained, contrast around the voxel, its own value, both again where they are those of veins and lesions, and
how near the mask's surface and doubtful phase are. The weights were fitted on simulated scans for one network
(:mod:`recon.lab.evaluation.verdict.uncertainty`). What two passes of the network disagree about would add almost
nothing to this sum, and cost another pass.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from scipy import ndimage

from recon.network.consistency import field_data, unexplained_field
from recon.network.features import field_tensors
from recon.operators.boxes import crop_field
from recon.operators.coarse import CoarseGrid, block_mean, coarse_grid, upsample
from recon.types import BoolArray, ExpectedError, FloatArray, TotalField

_NOISE_MM, _CLOSE_MM, _CONTRAST_MM, _REACH_MM = 2.0, 3.0, 4.0, 4.0
_CELL_MM = 2.0
"""Edge length that cells come close to; what is looked at around a voxel is smooth."""
_MOST_NOISE_MEDIANS = 20.0
_MOST_LEFT_PPM = 0.2
_LEAST_PPM = 1e-4
_LEAST_VALUE_PPM = 0.01
_BUSY_PPM, _STRONG_PPM = 0.05, 0.1
"""Contrast and value beyond which little but veins and lesions goes."""
CLUES: Final = ("noise", "unexplained", "contrast", "value", "busy", "strong", "rim", "doubt")
"""What enters, in the order of :func:`error_clues`."""
_LOGARITHMS = 4
"""The first of them are logarithms: only how they differ from their mean over the mask counts."""


@dataclass(frozen=True, kw_only=True)
class ErrorPattern:
    """What was fitted.

    Parameters
    ----------
    weights_sha256
        Weights of the network whose maps it was fitted on.
    expected_error_sha256
        File of the model of the expected error that it distributes.
    slopes
        Of each of :data:`CLUES`.
    factor
        Standard deviation over the expected error, where the pattern is one.
    least, most
        Values of the pattern that are not passed.
    scans
        How many it was fitted on.
    """

    weights_sha256: str
    expected_error_sha256: str
    slopes: Mapping[str, float]
    factor: float
    least: float
    most: float
    scans: int

    def of(self, clues: FloatArray, mask_clues: FloatArray | None = None) -> FloatArray:
        """Return the standard deviation of voxels over the error expected of the brain.

        Parameters
        ----------
        clues
            ``(clue, voxel)`` of the voxels asked for.
        mask_clues
            Those of all voxels of the mask, or of a fair sample; ``clues`` if not given.
        """
        slopes = np.array([self.slopes[name] for name in CLUES], np.float32)
        every = np.exp(slopes @ (clues if mask_clues is None else mask_clues))
        pattern = np.exp(slopes @ clues) / np.sqrt(np.mean(every**2))
        relative: FloatArray = np.clip(pattern, self.least, self.most) * np.float32(self.factor)
        return relative


def error_clues(chi_ppm: FloatArray, total: TotalField) -> FloatArray:
    """Return :data:`CLUES`, ``(clue, voxel)`` float32, for the voxels of the mask in order.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32, zero outside the mask.
    total
        The field that it was inverted from.
    """
    cut, box = crop_field(total, margin=4)
    mask, cells = cut.mask, coarse_grid(cut.grid, _CELL_MM)
    chi = np.ascontiguousarray(chi_ppm[box] * mask, np.float32)
    measured = field_tensors(cut)
    data = field_data(
        measured.usable_ppm, measured.mask, cut.grid, reliable=measured.reliable, closed_mask=measured.closed_mask
    )
    left = np.clip(unexplained_field(torch.from_numpy(chi), data).numpy(), -_MOST_LEFT_PPM, _MOST_LEFT_PPM)
    typical = max(float(np.median(cut.noise_ppm[mask])), 1e-9)
    noise = np.minimum(cut.noise_ppm / np.float32(typical), np.float32(_MOST_NOISE_MEDIANS))
    contrast = chi - _mean(chi, mask, cells, _CONTRAST_MM)
    log_contrast = 0.5 * np.log(_mean(contrast**2, mask, cells, _CLOSE_MM)[mask] + _LEAST_PPM**2)
    log_value = np.log(np.abs(chi[mask]) + _LEAST_VALUE_PPM)
    clues = np.stack(
        [
            np.log(_mean(noise, mask, cells, _NOISE_MM)[mask] + 1e-3),
            0.5 * np.log(_mean(left**2, mask, cells, _CLOSE_MM)[mask] + _LEAST_PPM**2),
            log_contrast,
            log_value,
            np.maximum(log_contrast - np.log(_BUSY_PPM), 0),
            np.maximum(log_value - np.log(_STRONG_PPM), 0),
            _nearness(~mask, cells)[mask],
            _nearness(mask & ~cut.reliable, cells, beyond=False)[mask],
        ]
    ).astype(np.float32)
    clues[:_LOGARITHMS] -= clues[:_LOGARITHMS].mean(axis=1, keepdims=True)
    return clues


def _mean(volume: FloatArray, mask: BoolArray, cells: CoarseGrid, width_mm: float) -> FloatArray:
    """Return a volume's mean over a Gaussian neighbourhood in the mask, of this standard deviation."""
    sigma = [width_mm / size for size in cells.cell_mm]
    total, share = (
        ndimage.gaussian_filter(block_mean(values, cells), sigma, truncate=3.0)
        for values in ((volume * mask).astype(np.float32, copy=False), mask)
    )
    return upsample(np.asarray(total / np.maximum(share, np.float32(1e-3)), np.float32), cells)


def _nearness(places: BoolArray, cells: CoarseGrid, *, beyond: bool = True) -> FloatArray:
    """Return one at places, less with the distance from them; what lies ``beyond`` the volume is a place, or not."""
    there = np.pad(block_mean(places, cells) > 0, 1, constant_values=beyond)
    if not there.any():
        return np.zeros(places.shape, np.float32)
    distance = ndimage.distance_transform_edt(~there, sampling=cells.cell_mm)[1:-1, 1:-1, 1:-1]
    near = upsample(np.exp(-distance / _REACH_MM).astype(np.float32), cells)
    return np.where(places, np.float32(1), near)


def shipped_pattern() -> Path:
    """Return the file of the pattern that comes with the package."""
    return Path(str(importlib.resources.files("recon") / "weights" / "error_pattern.json"))


@cache
def load_pattern(path: Path | None = None) -> ErrorPattern | None:
    """Load a pattern, the shipped one by default; None where there is none."""
    path = path or shipped_pattern()
    if not path.is_file():
        return None
    said: dict[str, Any] = json.loads(path.read_text())
    return ErrorPattern(**said)


def uncertainty_ppb(
    chi_ppm: FloatArray, total: TotalField, expected: ExpectedError | None, weights_sha256: str
) -> FloatArray | None:
    """Return the standard deviation of each voxel of a map, ``(x, y, z)`` float32 in ppb, zero outside the mask.

    None if no error is expected of the map, or other weights made it than those the pattern was fitted for.
    """
    pattern = load_pattern()
    if expected is None or pattern is None or pattern.weights_sha256 != weights_sha256:
        return None
    volume = np.zeros(total.mask.shape, np.float32)
    volume[total.mask] = pattern.of(error_clues(chi_ppm, total)) * np.float32(expected.brain_ppb)
    return volume
