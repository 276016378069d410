"""The total field of a simulated head: fine sources in and near the image, coarse ones beyond, then the shim."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from recon.lab.simulation.draw.plan import HeadPlan, ScanPlan, Vector
from recon.lab.simulation.head import HeadVolumes, build_head
from recon.lab.simulation.lattice import BRAIN_CENTRE_MM, Lattice, make_lattice
from recon.lab.simulation.template import Template
from recon.lab.simulation.tissue import AIR_CHI_PPM
from recon.operators.dipole import dipole_field
from recon.types import Grid

_MARGIN_MM = 10.0
"""How far fine sources reach beyond the image, so that coarse ones stay smooth inside it."""
_COARSE_MM = 4.0
_COARSE_BLUR_VOXELS = 0.875
_FINE_BLUR_VOXELS = 0.65
"""Bone and air would otherwise ring through the brain at the highest spatial frequency."""
_COARSE_HALF_MM = 204.0


@dataclass(frozen=True, kw_only=True)
class HeadField:
    """A head on the image's fine lattice with the field it makes before shimming.

    Parameters
    ----------
    volumes
        What the head is made of, on the lattice without margin.
    field_ppm
        ``(x, y, z)`` total field.
    lattice
        Fine lattice without margin; ``scan.oversample`` points per voxel.
    """

    volumes: HeadVolumes
    field_ppm: torch.Tensor
    lattice: Lattice


def head_field(head: HeadPlan, scan: ScanPlan, template: Template, device: torch.device | str = "cpu") -> HeadField:
    """Build the head on the scan's grid and compute the field of all sources, inside and outside the image."""
    spacing = _divide(scan.voxel_size_mm, scan.oversample)
    margin = tuple(int(np.ceil(_MARGIN_MM / s)) for s in spacing)
    shape = tuple(n * o + 2 * m for n, o, m in zip(scan.shape, scan.oversample, margin, strict=True))
    first = tuple(-(n - 1) / 2 * s for n, s in zip(shape, spacing, strict=True))
    fine = make_lattice(
        head,
        scan,
        shape=(shape[0], shape[1], shape[2]),
        spacing_mm=spacing,
        first_mm=(first[0], first[1], first[2]),
        device=device,
    )
    volumes = build_head(fine, template)
    grid = Grid(shape=fine.shape, voxel_size_mm=spacing, b0_direction=scan.b0_direction)
    # Relative to air, everything outside the head is zero, and zero-padding is the true surrounding.
    tissue = torch.where(volumes.brain, volumes.chi_ppm, 0.0)
    field = dipole_field(volumes.chi_ppm - AIR_CHI_PPM - tissue, grid, blur_voxels=_FINE_BLUR_VOXELS)
    field += dipole_field(tissue, grid)
    field = field + _field_from_beyond(head, scan, template, fine)
    crop = tuple(slice(m, n - m) for m, n in zip(margin, shape, strict=True))
    return HeadField(
        volumes=_crop_volumes(volumes, crop), field_ppm=field[crop], lattice=_crop_lattice(fine, crop, margin)
    )


def _divide(size_mm: Vector, parts: tuple[int, int, int]) -> Vector:
    return (size_mm[0] / parts[0], size_mm[1] / parts[1], size_mm[2] / parts[2])


def _crop_volumes(v: HeadVolumes, crop: tuple[slice, ...]) -> HeadVolumes:
    return HeadVolumes(
        chi_ppm=v.chi_ppm[crop],
        signal=v.signal[crop],
        r2star_per_s=v.r2star_per_s[crop],
        fat=v.fat[crop],
        brain=v.brain[crop],
        label=v.label[crop],
    )


def _crop_lattice(lattice: Lattice, crop: tuple[slice, ...], margin: tuple[int, ...]) -> Lattice:
    points = lattice.template_mm[crop]
    first = [f + m * s for f, m, s in zip(lattice.first_mm, margin, lattice.spacing_mm, strict=True)]
    return Lattice(
        shape=(points.shape[0], points.shape[1], points.shape[2]),
        spacing_mm=lattice.spacing_mm,
        first_mm=(first[0], first[1], first[2]),
        template_mm=points,
        head=lattice.head,
        scan=lattice.scan,
    )


def _field_from_beyond(head: HeadPlan, scan: ScanPlan, template: Template, fine: Lattice) -> torch.Tensor:
    """Return the field on ``fine`` of everything outside its box: rest of the head, neck, slab's neighbours."""
    count = int(2 * _COARSE_HALF_MM / _COARSE_MM) + 1
    # The neck is long: put the middle of the coarse box below the brain.
    middle = scan.rotation @ (np.asarray(BRAIN_CENTRE_MM) - np.asarray(scan.centre_mm) + np.array([0.0, 0.0, -60.0]))
    first = middle - _COARSE_HALF_MM
    coarse = make_lattice(
        head,
        scan,
        shape=(count, count, count),
        spacing_mm=(_COARSE_MM,) * 3,
        first_mm=(float(first[0]), float(first[1]), float(first[2])),
        device=fine.device,
    )
    chi = build_head(coarse, template).chi_ppm - AIR_CHI_PPM
    shares = [_overlap(coarse, fine, axis) for axis in range(3)]
    chi = chi * (1.0 - torch.einsum("i,j,k->ijk", *shares))
    grid = Grid(shape=coarse.shape, voxel_size_mm=coarse.spacing_mm, b0_direction=scan.b0_direction)
    field = dipole_field(chi, grid, blur_voxels=_COARSE_BLUR_VOXELS)
    weights = [_spline_weights(coarse.axis_mm(a), fine.axis_mm(a), fine.device) for a in range(3)]
    for axis in range(3):
        field = torch.movedim(torch.tensordot(weights[axis], field, dims=([1], [axis])), 0, axis)
    return field


def _overlap(coarse: Lattice, fine: Lattice, axis: int) -> torch.Tensor:
    """Return the share of each coarse voxel's extent that the fine box covers along one axis."""
    positions = coarse.axis_mm(axis)
    half = coarse.spacing_mm[axis] / 2
    edge = fine.spacing_mm[axis] / 2
    low, high = fine.axis_mm(axis)[0] - edge, fine.axis_mm(axis)[-1] + edge
    covered = np.minimum(positions + half, high) - np.maximum(positions - half, low)
    share = np.clip(covered / (2 * half), 0.0, 1.0)
    return torch.tensor(share, dtype=torch.float32, device=fine.device)


def _spline_weights(from_mm: np.ndarray, to_mm: np.ndarray, device: torch.device) -> torch.Tensor:
    """Return the matrix of cubic spline interpolation between two axes."""
    weights = CubicSpline(from_mm, np.eye(len(from_mm)))(to_mm)
    return torch.tensor(weights, dtype=torch.float32, device=device)


def shim_basis(shape: tuple[int, int, int], spacing_mm: Vector, device: torch.device) -> torch.Tensor:
    """Return the nine harmonics up to second order, ``(9, x, y, z)``, over the image's own axes in units of 100 mm."""
    axes = [
        torch.tensor((np.arange(n) - (n - 1) / 2) * s / 100.0, dtype=torch.float32, device=device)
        for n, s in zip(shape, spacing_mm, strict=True)
    ]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    one = torch.ones_like(x)
    return torch.stack([one, x, y, z, x * y, y * z, z * x, x**2 - y**2, 2 * z**2 - x**2 - y**2])


def shim(field_ppm: torch.Tensor, mask: torch.Tensor, spacing_mm: Vector, residual: float) -> torch.Tensor:
    """Remove the second-order harmonics that fit the field in the mask, leaving a share of them.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)``.
    mask
        Region that the scanner shims over.
    spacing_mm
        Lattice spacing.
    residual
        Share of the fitted harmonics that stays; the constant is removed wholly, as the carrier follows it.
    """
    shape = (field_ppm.shape[0], field_ppm.shape[1], field_ppm.shape[2])
    basis = shim_basis(shape, spacing_mm, field_ppm.device)
    inside = basis[:, mask].double()
    coefficients = torch.linalg.lstsq(inside.T, field_ppm[mask].double()[:, None]).solution[:, 0].float()
    coefficients[1:] *= 1.0 - residual
    return field_ppm - torch.einsum("n,nxyz->xyz", coefficients, basis)
