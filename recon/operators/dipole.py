"""The dipole kernel: how susceptibility makes field, in k-space.

``field(k) = D(k) · χ(k)`` with ``D(k) = 1/3 - (k·b)² / |k|²`` and ``D(0) = 0`` (Salomir 2003,
doi:10.1002/cmr.b.10083; Marques & Bowtell 2005, doi:10.1002/cmr.b.20034). The voxel size enters through the k-axes
only; ``b`` is the unit vector of B0 in image axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from scipy.fft import next_fast_len

from recon.types import Grid

Shape = tuple[int, int, int]
Vector = tuple[float, float, float]


def good_fft_shape(least: Iterable[int]) -> Shape:
    """Return the next sizes along x, y, z whose real FFT is fast."""
    x, y, z = (int(next_fast_len(n, real=True)) for n in least)
    return (x, y, z)


def k_axes(shape: Shape, voxel_size_mm: Vector, device: torch.device | str = "cpu") -> tuple[torch.Tensor, ...]:
    """Return spatial frequencies in cycles/mm, broadcastable to the half spectrum of a volume of ``shape``."""
    kx = torch.fft.fftfreq(shape[0], voxel_size_mm[0], device=device)
    ky = torch.fft.fftfreq(shape[1], voxel_size_mm[1], device=device)
    kz = torch.fft.rfftfreq(shape[2], voxel_size_mm[2], device=device)
    return kx[:, None, None], ky[None, :, None], kz[None, None, :]


def dipole_kernel(shape: Shape, grid: Grid, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the dipole kernel, ``(x, y, z // 2 + 1)`` float32 between -2/3 and 1/3.

    It lies on the half spectrum of a volume of ``shape``; voxel size and B0 direction are those of ``grid``.
    """
    axes, b0_direction = k_axes(shape, grid.voxel_size_mm, device), grid.b0_direction
    k_squared = sum((k**2 for k in axes), torch.zeros((), device=device))
    k_squared[0, 0, 0] = 1.0
    squares = sum(((k * b) ** 2 for k, b in zip(axes, b0_direction, strict=True)), torch.zeros((), device=device))
    # On an even-sized axis the Nyquist plane stands for +k and -k at once, where the mixed terms of an oblique B0
    # cancel; only so is the operator real and self-adjoint.
    x, y, z = (_without_nyquist(k * b, n) for k, b, n in zip(axes, b0_direction, shape, strict=True))
    kernel = 1.0 / 3.0 - (squares + 2.0 * (x * y + y * z + z * x)) / k_squared
    kernel[0, 0, 0] = 0.0
    return kernel


def _without_nyquist(k_axis: torch.Tensor, size: int) -> torch.Tensor:
    """Return the axis with its Nyquist frequency, if it has one, set to zero."""
    if size % 2:
        return k_axis
    axis = int(torch.tensor(k_axis.shape).argmax())
    cleared = k_axis.clone()
    cleared.select(axis, size // 2).zero_()
    return cleared


def gaussian_spectrum(shape: Shape, deviation_voxels: float, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the half spectrum of a normalised Gaussian of the given standard deviation."""
    kx, ky, kz = k_axes(shape, (1.0, 1.0, 1.0), device)
    return torch.exp(-2.0 * (math.pi * deviation_voxels) ** 2 * (kx**2 + ky**2 + kz**2))


def convolve(volume: torch.Tensor, spectrum: torch.Tensor, padded_shape: Shape) -> torch.Tensor:
    """Return a real volume ``(x, y, z)``, zero-padded at its far ends, times a half spectrum, cropped back."""
    transformed = torch.fft.rfftn(volume, s=padded_shape)
    transformed *= spectrum
    x, y, z = volume.shape
    result: torch.Tensor = torch.fft.irfftn(transformed, s=padded_shape)
    return result[:x, :y, :z]


def dipole_field(chi_ppm: torch.Tensor, grid: Grid, padding: float = 2.0, blur_voxels: float = 0.0) -> torch.Tensor:
    """Return the field in ppm that a susceptibility distribution makes, ``(x, y, z)`` float32.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32; what surrounds the volume is taken to be zero.
    padding
        Least ratio of padded to real size; 2 keeps periodic images of the sources away.
    blur_voxels
        Standard deviation of a Gaussian over the sources, in voxels. Outside its reach the field is unchanged (a
        harmonic function is its own mean), but sources coarser than the field of interest do not ring.
    """
    padded = good_fft_shape(int(n * padding) for n in grid.shape)
    kernel = dipole_kernel(padded, grid, chi_ppm.device)
    if blur_voxels:
        kernel *= gaussian_spectrum(padded, blur_voxels, chi_ppm.device)
    return convolve(chi_ppm, kernel, padded)
