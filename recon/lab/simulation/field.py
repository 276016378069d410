"""The total field of a simulated head: fine sources in and near the image, coarse ones beyond, then the shim."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from scipy.interpolate import CubicSpline

from recon.lab.simulation.draw.plan import BRAIN_CENTRE_MM, HeadPlan, ScanPlan, Vector, vector
from recon.lab.simulation.head import HeadVolumes, build_head
from recon.lab.simulation.lattice import Lattice, make_lattice
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


def head_field(head: HeadPlan, scan: ScanPlan, template: Template) -> HeadField:
    """Build the head on the scan's grid and compute the field of all sources, inside and outside the image."""
    spacing = vector(size / parts for size, parts in zip(scan.voxel_size_mm, scan.oversample, strict=True))
    margin = tuple(int(np.ceil(_MARGIN_MM / s)) for s in spacing)
    shape = tuple(n * o + 2 * m for n, o, m in zip(scan.shape, scan.oversample, margin, strict=True))
    first = (-(n - 1) / 2 * s for n, s in zip(shape, spacing, strict=True))
    fine = make_lattice(
        head,
        scan,
        shape=(shape[0], shape[1], shape[2]),
        spacing_mm=spacing,
        first_mm=vector(first),
    )
    volumes = build_head(fine, template)
    grid = Grid(shape=fine.shape, voxel_size_mm=spacing, b0_direction=scan.b0_direction)
    # Relative to air, everything outside the head is zero, and zero-padding is the true surrounding.
    tissue = torch.where(volumes.brain, volumes.chi_ppm, 0.0)
    field = dipole_field(volumes.chi_ppm - AIR_CHI_PPM - tissue, grid, blur_voxels=_FINE_BLUR_VOXELS)
    field += dipole_field(tissue, grid)
    field = field + field_from_beyond(head, scan, template, fine)
    return crop_head_field(HeadField(volumes=volumes, field_ppm=field, lattice=fine), margin)


def crop_head_field(made: HeadField, margin: tuple[int, ...]) -> HeadField:
    """Return a head and its field without a margin of so many points along x, y, z."""
    crop = tuple(slice(m, n - m) for m, n in zip(margin, made.lattice.shape, strict=True))
    volumes = HeadVolumes(**{part.name: getattr(made.volumes, part.name)[crop] for part in fields(made.volumes)})
    lattice = _crop_lattice(made.lattice, crop, margin)
    return HeadField(volumes=volumes, field_ppm=made.field_ppm[crop], lattice=lattice)


def _crop_lattice(lattice: Lattice, crop: tuple[slice, ...], margin: tuple[int, ...]) -> Lattice:
    points = lattice.template_mm[crop]
    x, y, z, _ = points.shape
    first = vector(f + m * s for f, m, s in zip(lattice.first_mm, margin, lattice.spacing_mm, strict=True))
    return replace(lattice, shape=(x, y, z), first_mm=first, template_mm=points)


def field_from_beyond(head: HeadPlan, scan: ScanPlan, template: Template, fine: Lattice) -> torch.Tensor:
    """Return the field on ``fine`` of everything outside its box: rest of the head, neck, slab's neighbours."""
    count = int(2 * _COARSE_HALF_MM / _COARSE_MM) + 1
    # The neck is long: put the middle of the coarse box below the brain.
    middle = scan.rotation @ (np.asarray(BRAIN_CENTRE_MM) - np.asarray(scan.centre_mm) + np.array([0.0, 0.0, -60.0]))
    coarse = make_lattice(
        head,
        scan,
        shape=(count, count, count),
        spacing_mm=(_COARSE_MM,) * 3,
        first_mm=vector(middle - _COARSE_HALF_MM),
    )
    chi = build_head(coarse, template).chi_ppm - AIR_CHI_PPM
    shares = [_overlap(coarse, fine, axis) for axis in range(3)]
    chi = chi * (1.0 - torch.einsum("i,j,k->ijk", *shares))
    grid = Grid(shape=coarse.shape, voxel_size_mm=coarse.spacing_mm, b0_direction=scan.b0_direction)
    field = dipole_field(chi, grid, blur_voxels=_COARSE_BLUR_VOXELS)
    weights = [_spline_weights(coarse.axis_mm(a), fine.axis_mm(a)) for a in range(3)]
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
    return torch.tensor(np.clip(covered / (2 * half), 0.0, 1.0), dtype=torch.float32)


def _spline_weights(from_mm: np.ndarray, to_mm: np.ndarray) -> torch.Tensor:
    """Return the matrix of cubic spline interpolation between two axes."""
    return torch.tensor(CubicSpline(from_mm, np.eye(len(from_mm)))(to_mm), dtype=torch.float32)


def _shim_basis(shape: torch.Size, spacing_mm: Vector) -> torch.Tensor:
    """Return the nine harmonics up to second order, ``(9, x, y, z)``, over the image's own axes in units of 100 mm."""
    axes = [
        torch.tensor((np.arange(n) - (n - 1) / 2) * s / 100.0, dtype=torch.float32)
        for n, s in zip(shape, spacing_mm, strict=True)
    ]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    one = torch.ones_like(x)
    return torch.stack([one, x, y, z, x * y, y * z, z * x, x**2 - y**2, 2 * z**2 - x**2 - y**2])


def shim(field_ppm: torch.Tensor, mask: torch.Tensor, spacing_mm: Vector, residual: float) -> torch.Tensor:
    """Remove the second-order harmonics that fit the field in the mask, leaving a share of them.

    Field and mask are ``(x, y, z)`` on a lattice of this spacing; ``residual`` is the share that stays. The constant is
    removed completely, as the carrier follows it.
    """
    basis = _shim_basis(field_ppm.shape, spacing_mm)
    inside = basis[:, mask].double()
    coefficients = torch.linalg.lstsq(inside.T, field_ppm[mask].double()[:, None]).solution[:, 0].float()
    coefficients[1:] *= 1.0 - residual
    return field_ppm - torch.einsum("n,nxyz->xyz", coefficients, basis)
