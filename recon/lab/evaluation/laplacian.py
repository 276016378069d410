"""Laplacian unwrapping, to compare with.

``Δφ = cos ψ · Δ sin ψ - sin ψ · Δ cos ψ`` of the wrapped phase ψ is free of wraps; its inverse Laplacian is the phase
but for a smooth part that the periodic boundary decides (Schofield & Zhu 2003, doi:10.1364/OL.28.001194).
"""

from __future__ import annotations

import numpy as np
import torch

from recon.operators.differences import gradient_energy
from recon.types import FloatArray, Grid


def laplacian_unwrap(phase_rad: FloatArray, grid: Grid) -> FloatArray:
    """Return unwrapped phase; it is not the wrapped phase plus multiples of 2π.

    Parameters
    ----------
    phase_rad
        ``(x, y, z)`` float32, wrapped.
    grid
        Geometry.

    Returns
    -------
    FloatArray
        ``(x, y, z)`` float32 in rad, with a mean of zero.
    """
    # Mirrored at the faces, the volume has no jump between its far and its near side.
    padding = [(0, n) for n in grid.shape]
    phase = torch.from_numpy(np.pad(phase_rad, padding, mode="symmetric"))
    x, y, z = phase.shape
    energy = gradient_energy((x, y, z), grid.voxel_size_mm)
    sine, cosine = torch.sin(phase), torch.cos(phase)
    curvature = cosine * _laplacian(sine, energy) - sine * _laplacian(cosine, energy)
    energy[0, 0, 0] = 1.0
    spectrum = torch.fft.rfftn(curvature) / -energy
    spectrum[0, 0, 0] = 0.0
    window = tuple(slice(n) for n in grid.shape)
    unwrapped: FloatArray = torch.fft.irfftn(spectrum, s=phase.shape)[window].numpy()
    return unwrapped


def _laplacian(volume: torch.Tensor, energy: torch.Tensor) -> torch.Tensor:
    """Return the discrete Laplacian of a periodic volume."""
    made: torch.Tensor = torch.fft.irfftn(torch.fft.rfftn(volume) * -energy, s=volume.shape)
    return made
