"""Other ways from phase to field: each echo unwrapped by itself, then a line through them, as public chains do.

Laplacian unwrapping: ``Δφ = cos ψ · Δ sin ψ - sin ψ · Δ cos ψ`` of the wrapped phase ψ is free of wraps; its inverse
Laplacian is the phase but for a smooth part that the periodic boundary decides (Schofield & Zhu 2003,
doi:10.1364/OL.28.001194).
"""

from __future__ import annotations

import numpy as np
import torch

from recon.errors import InvalidInputError
from recon.field.total import rad_per_s_of_one_ppm
from recon.operators.differences import gradient_energy
from recon.types import BoolArray, FloatArray, GradientEcho, Grid


def skimage_unwrap(phase_rad: FloatArray, mask: BoolArray) -> FloatArray:
    """Unwrap the phase of one echo inside a mask with scikit-image (Herráez 2002, doi:10.1364/AO.41.007437).

    Raises
    ------
    InvalidInputError
        If scikit-image is missing.
    """
    try:
        from skimage.restoration import unwrap_phase
    except ImportError as error:
        raise InvalidInputError("scikit-image is missing; install this project with its 'test' extra") from error
    return np.ma.filled(unwrap_phase(np.ma.masked_array(phase_rad, ~mask), rng=0), 0.0).astype(np.float32)


def skimage_field(echoes: GradientEcho, mask: BoolArray) -> FloatArray:
    """Unwrap each echo by :func:`skimage_unwrap`, fit a line."""
    return fitted_field([skimage_unwrap(phase, mask) for phase in echoes.phase_rad], echoes, mask)


def laplacian_field(echoes: GradientEcho, mask: BoolArray) -> FloatArray:
    """Unwrap each echo by its Laplacian, fit a line."""
    unwrapped = [laplacian_unwrap(phase, echoes.grid) for phase in echoes.phase_rad]
    return fitted_field(unwrapped, echoes, mask)


def laplacian_unwrap(phase_rad: FloatArray, grid: Grid) -> FloatArray:
    """Return unwrapped phase ``(x, y, z)`` float32 in rad with a mean of zero.

    It is not the wrapped phase plus multiples of 2π.
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


def fitted_field(unwrapped: list[FloatArray], echoes: GradientEcho, mask: BoolArray) -> FloatArray:
    """Return the slope in ppm of an unweighted line through the unwrapped echoes ``(x, y, z)``, each in rad.

    The line's intercept is the receive phase. A multiple of 2π that a whole echo is off by becomes a constant in the
    field, which is not an error here. A single echo is divided by its echo time.
    """
    one_ppm = rad_per_s_of_one_ppm(echoes.b0_tesla)
    times = np.asarray(echoes.echo_times_s)
    if len(times) == 1:
        return np.where(mask, unwrapped[0] / (times[0] * one_ppm), 0.0).astype(np.float32)
    weights = (times - times.mean()) / ((times - times.mean()) ** 2).sum()
    field = sum((np.float32(w) * u for w, u in zip(weights, unwrapped, strict=True)), np.zeros(mask.shape, np.float32))
    return np.where(mask, field / one_ppm, 0.0).astype(np.float32)
