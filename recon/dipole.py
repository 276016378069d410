"""The dipole kernel: how susceptibility makes field, in k-space.

``field(k) = D(k) · χ(k)`` with ``D(k) = 1/3 - (k·b)² / |k|²`` and ``D(0) = 0`` (Salomir 2003,
doi:10.1002/cmr.b.10083; Marques & Bowtell 2005, doi:10.1002/cmr.b.20034). The voxel size enters through the k-axes
only; ``b`` is the unit vector of B0 in image axes.
"""

from __future__ import annotations

import math

import torch
from scipy.fft import next_fast_len

from recon.types import Grid

Shape = tuple[int, int, int]
Vector = tuple[float, float, float]


def good_fft_shape(shape: Shape) -> Shape:
    """Return the next sizes whose real FFT is fast.

    Parameters
    ----------
    shape
        Wanted least sizes along x, y, z.
    """
    x, y, z = (int(next_fast_len(n, real=True)) for n in shape)
    return (x, y, z)


def k_axes(
    shape: Shape, voxel_size_mm: Vector, device: torch.device | str = "cpu"
) -> tuple[torch.Tensor, ...]:
    """Return spatial frequencies in cycles/mm, broadcastable to the half spectrum of ``torch.fft.rfftn``.

    Parameters
    ----------
    shape
        Sizes of the real-space array along x, y, z.
    voxel_size_mm
        Voxel size along x, y, z.
    device
        Where to make them.
    """
    kx = torch.fft.fftfreq(shape[0], voxel_size_mm[0], device=device)
    ky = torch.fft.fftfreq(shape[1], voxel_size_mm[1], device=device)
    kz = torch.fft.rfftfreq(shape[2], voxel_size_mm[2], device=device)
    return kx[:, None, None], ky[None, :, None], kz[None, None, :]


def dipole_kernel(
    shape: Shape, voxel_size_mm: Vector, b0_direction: Vector, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Return the dipole kernel on the half spectrum.

    Parameters
    ----------
    shape
        Sizes of the real-space array along x, y, z.
    voxel_size_mm
        Voxel size along x, y, z.
    b0_direction
        Unit vector of B0 in image axes.
    device
        Where to make it.

    Returns
    -------
    torch.Tensor
        ``(x, y, z // 2 + 1)`` float32, between -2/3 and 1/3.
    """
    kx, ky, kz = k_axes(shape, voxel_size_mm, device)
    bx, by, bz = b0_direction
    k_squared = kx**2 + ky**2 + kz**2
    k_squared[0, 0, 0] = 1.0
    kernel = 1.0 / 3.0 - (kx * bx + ky * by + kz * bz) ** 2 / k_squared
    kernel[0, 0, 0] = 0.0
    # On an even-sized axis the Nyquist plane stands for +k and -k at once; for oblique B0 the kernel differs
    # between the two and only their mean keeps the operator real and self-adjoint.
    return _symmetrise_nyquist(kernel, shape, (kx, ky, kz), b0_direction, k_squared)


def _symmetrise_nyquist(
    kernel: torch.Tensor,
    shape: Shape,
    axes: tuple[torch.Tensor, ...],
    b0_direction: Vector,
    k_squared: torch.Tensor,
) -> torch.Tensor:
    """Average the kernel over both signs of every Nyquist frequency."""
    for axis, size in enumerate(shape):
        if size % 2:
            continue
        index = size // 2
        planes = [k.select(axis, index if k.shape[axis] > 1 else 0).clone() for k in axes]
        total = torch.zeros_like(kernel.select(axis, index))
        for sign in (1.0, -1.0):
            signed = [p * (sign if i == axis else 1.0) for i, p in enumerate(planes)]
            projection = sum(p * b for p, b in zip(signed, b0_direction, strict=True))
            total = total + 0.5 * (1.0 / 3.0 - projection**2 / k_squared.select(axis, index))
        kernel.select(axis, index).copy_(total)
    return kernel


def gaussian_spectrum(
    shape: Shape, deviation_voxels: float, device: torch.device | str = "cpu"
) -> torch.Tensor:
    """Return the half spectrum of a normalised Gaussian of the given standard deviation."""
    kx, ky, kz = k_axes(shape, (1.0, 1.0, 1.0), device)
    return torch.exp(-2.0 * (math.pi * deviation_voxels) ** 2 * (kx**2 + ky**2 + kz**2))


def convolve(volume: torch.Tensor, spectrum: torch.Tensor, padded_shape: Shape) -> torch.Tensor:
    """Multiply a real volume by a half spectrum in k-space and crop back.

    Parameters
    ----------
    volume
        ``(x, y, z)`` real.
    spectrum
        Half spectrum of ``padded_shape``.
    padded_shape
        Sizes after zero-padding at the far ends.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)``, the shape of ``volume``.
    """
    transformed = torch.fft.rfftn(volume, s=padded_shape)
    transformed *= spectrum
    x, y, z = volume.shape
    return torch.fft.irfftn(transformed, s=padded_shape)[:x, :y, :z]


def dipole_field(
    chi_ppm: torch.Tensor, grid: Grid, padding: float = 2.0, blur_voxels: float = 0.0
) -> torch.Tensor:
    """Return the field that a susceptibility distribution makes.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32; what surrounds the volume is taken to be zero.
    grid
        Geometry; its shape must be that of ``chi_ppm``.
    padding
        Least ratio of padded to real size; 2 keeps periodic images of the sources away.
    blur_voxels
        Standard deviation of a Gaussian over the sources, in voxels. Outside its reach the field is unchanged (a harmonic
        function is its own mean), but sources coarser than the field of interest do not ring.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32, ppm.
    """
    x, y, z = (int(n * padding) for n in grid.shape)
    padded = good_fft_shape((x, y, z))
    kernel = dipole_kernel(padded, grid.voxel_size_mm, grid.b0_direction, chi_ppm.device)
    if blur_voxels:
        kernel *= gaussian_spectrum(padded, blur_voxels, chi_ppm.device)
    return convolve(chi_ppm, kernel, padded)
