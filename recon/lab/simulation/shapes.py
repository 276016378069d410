"""Where template ellipsoids and veins fall on a lattice: soft coverages, computed in small windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from recon.lab.simulation.draw.plan import EllipsoidPlan, VeinPlan
from recon.lab.simulation.lattice import Lattice

_WAVES = 5
Window = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True)
class Patch:
    """Coverage of a shape within a window of the lattice.

    Parameters
    ----------
    window
        Index ranges along x, y, z.
    coverage
        Share of each voxel that the shape fills, 0..1.
    depth
        Distance from the centre relative to the outline: 0 centre, 1 outline.
    """

    window: Window
    coverage: torch.Tensor
    depth: torch.Tensor


def soft_step(distance_mm: torch.Tensor, width_mm: float) -> torch.Tensor:
    """Return 1 well inside (negative distance), 0 well outside, linear over ``width_mm``."""
    return torch.clamp(0.5 - distance_mm / width_mm, 0.0, 1.0)


def paint_ellipsoid(shape: EllipsoidPlan, lattice: Lattice) -> Patch | None:
    """Return the coverage of an ellipsoid, or None where it lies outside the lattice."""
    reach_mm = max(shape.radius_mm) * (1.35 + shape.roughness) + 3.0 + max(lattice.spacing_mm)
    window = lattice.window_around(np.asarray(shape.centre_mm), reach_mm)
    if window is None:
        return None
    points = lattice.template_mm[window]
    depth = _relative_depth(shape, points)
    mean_radius = float(np.prod(shape.radius_mm)) ** (1 / 3)
    width = float(np.mean(lattice.spacing_mm))
    return Patch(window=window, coverage=soft_step((depth - 1.0) * mean_radius, width), depth=depth)


def _relative_depth(shape: EllipsoidPlan, points: torch.Tensor) -> torch.Tensor:
    """Return the distance from the centre in units of the bumpy outline."""
    yaw = np.radians(shape.yaw_deg)
    turn = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    to_unit = torch.tensor(turn / np.asarray(shape.radius_mm)[:, None], dtype=torch.float32)
    centre = torch.tensor(shape.centre_mm, dtype=torch.float32)
    unit = (points - centre) @ to_unit.T
    depth: torch.Tensor = torch.linalg.vector_norm(unit, ord=shape.power, dim=-1)
    if shape.roughness:
        # The bumps follow from the place, so that a plan needs no further random state.
        rng = np.random.default_rng(np.abs(np.round(np.asarray(shape.centre_mm) * 1000)).astype(np.int64).tolist())
        waves = torch.tensor(rng.normal(0, 2.2, (3, _WAVES)), dtype=torch.float32)
        phases = torch.tensor(rng.uniform(0, 2 * np.pi, _WAVES), dtype=torch.float32)
        bumps = torch.sin(unit @ waves + phases).sum(-1) / np.sqrt(_WAVES / 2)
        depth = depth - 0.6 * shape.roughness * bumps
    return depth


def paint_veins(veins: tuple[VeinPlan, ...], lattice: Lattice) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the coverage by veins and the susceptibility times coverage, each ``(x, y, z)``."""
    coverage = torch.zeros(lattice.shape).flatten()
    weighted = torch.zeros_like(coverage)
    spacing = float(np.mean(lattice.spacing_mm))
    for thick in (False, True):
        chosen = [v for v in veins if (v.radius_mm > spacing) == thick]
        if not chosen:
            continue
        points = np.concatenate([v.points_mm for v in chosen])
        radius = np.concatenate([np.full(len(v.points_mm), v.radius_mm) for v in chosen])
        chi = np.concatenate([np.full(len(v.points_mm), v.chi_ppm) for v in chosen])
        _splat(points, radius, chi, lattice, coverage, weighted)
    return coverage.reshape(lattice.shape), weighted.reshape(lattice.shape)


def _splat(
    points_mm: np.ndarray,
    radius_mm: np.ndarray,
    chi_ppm: np.ndarray,
    lattice: Lattice,
    coverage: torch.Tensor,
    weighted: torch.Tensor,
) -> None:
    """Mark the balls around ``points_mm``, keeping the largest coverage of each voxel."""
    index = torch.tensor(lattice.index_of_template(points_mm), dtype=torch.float32)
    radius, chi, spacing = (torch.tensor(v, dtype=torch.float32) for v in (radius_mm, chi_ppm, lattice.spacing_mm))
    size = torch.tensor(lattice.shape)
    width = float(spacing.mean())
    # A vein thinner than a voxel fills only the share of its cross-section.
    share = torch.clamp((radius / (0.5 * width)) ** 2, max=1.0)
    nearest = torch.round(index)
    reach = [int(np.ceil(radius_mm.max() / s + 0.5)) for s in lattice.spacing_mm]
    for dx, dy, dz in np.ndindex(*(2 * r + 1 for r in reach)):
        offset = torch.tensor([dx - reach[0], dy - reach[1], dz - reach[2]])
        voxel = nearest + offset
        distance = torch.linalg.vector_norm((voxel - index) * spacing, dim=1)
        cover = torch.clamp(0.5 + (torch.clamp(radius, min=0.5 * width) - distance) / width, 0.0, 1.0) * share
        valid = ((voxel >= 0) & (voxel < size)).all(1) & (cover > 0)
        v = voxel[valid].long()
        flat = (v[:, 0] * size[1] + v[:, 1]) * size[2] + v[:, 2]
        coverage.scatter_reduce_(0, flat, cover[valid], "amax")
        weighted.scatter_reduce_(0, flat, (cover * chi)[valid], "amax")
