"""Where a map's error lies: by wavelength, and by distance from the cone on which a field shows nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from recon.inversion.closed_form import padded_shape
from recon.operators.dipole import dipole_kernel, k_axes
from recon.types import BoolArray, FloatArray, Grid

_EDGES_MM = (np.inf, 64.0, 32.0, 16.0, 8.0, 4.0, 0.0)
_NEAR_CONE = 0.1
"""Dipole kernel below which a map's error makes almost no field."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """What a band of wavelengths, or the cone, holds; the squares of the bands add up.

    Parameters
    ----------
    name
        Wavelengths in mm, or ``"cone"`` and ``"beside"``: where the dipole kernel is below 0.1, and where it is not.
    signal_percent, error_percent
        Norm of the truth and of the error in it, relative to that of the truth as a whole.
    """

    name: str
    signal_percent: float
    error_percent: float


def error_bands(estimate_ppm: FloatArray, truth_ppm: FloatArray, mask: BoolArray, grid: Grid) -> tuple[Band, ...]:
    """Return the error of a map by wavelength and by the cone; both maps ``(x, y, z)``, less their mean in the mask."""
    shape = padded_shape(grid)
    truth = np.where(mask, truth_ppm - truth_ppm[mask].mean(), 0)
    error = np.where(mask, estimate_ppm - estimate_ppm[mask].mean(), 0) - truth
    powers = [_power(volume, shape) for volume in (truth, error)]
    k = torch.sqrt(sum((axis**2 for axis in k_axes(shape, grid.voxel_size_mm)), torch.zeros(())))
    near = dipole_kernel(shape, grid).abs() < _NEAR_CONE
    bands = {}
    for longest, shortest in pairwise(_EDGES_MM):
        highest = np.inf if shortest == 0 else 1 / shortest
        bands[_name(longest, shortest)] = (k >= 1 / longest) & (k < highest)
    bands |= {"cone": near, "beside": ~near}
    whole = float(powers[0].sum())
    shares = {
        name: [100 * float(power[where].sum() / whole) ** 0.5 for power in powers] for name, where in bands.items()
    }
    return tuple(Band(name=name, signal_percent=s, error_percent=e) for name, (s, e) in shares.items())


def _name(longest_mm: float, shortest_mm: float) -> str:
    if np.isinf(longest_mm):
        return f"> {shortest_mm:g} mm"
    return f"{shortest_mm:g} to {longest_mm:g} mm" if shortest_mm else f"< {longest_mm:g} mm"


def _power(volume: np.ndarray, shape: tuple[int, int, int]) -> torch.Tensor:
    """Return the power on the half spectrum; frequencies that stand for their mirror image, too, count twice."""
    power: torch.Tensor = (
        torch.fft.rfftn(torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float64)), s=shape).abs().square()
    )
    power[..., 1 : (shape[2] + 1) // 2] *= 2
    return power
