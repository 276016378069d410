"""A lattice of points in image axes and where they lie in the template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from recon.lab.simulation.draw.plan import BRAIN_CENTRE_MM, HeadPlan, ScanPlan, Vector, vector
from recon.lab.simulation.template import sample

_WARP_HALF_MM = 128.0


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Voxel centres of an axis-aligned box in image axes, and their template positions.

    Parameters
    ----------
    shape, spacing_mm
        Number and distance of points along x, y, z.
    first_mm
        Image position of the first point, relative to the image centre.
    template_mm
        ``(x, y, z, 3)`` positions in the template (RAS).
    head, scan
        Plans it was made of.
    """

    shape: tuple[int, int, int]
    spacing_mm: Vector
    first_mm: Vector
    template_mm: torch.Tensor
    head: HeadPlan
    scan: ScanPlan

    def axis_mm(self, axis: int) -> np.ndarray:
        """Image positions of the points along one axis."""
        return np.asarray(self.first_mm[axis] + self.spacing_mm[axis] * np.arange(self.shape[axis]))

    def index_of_template(self, points_mm: np.ndarray) -> np.ndarray:
        """Return fractional indices ``(n, 3)`` of template points ``(n, 3)``."""
        head_mm = template_to_head(self.head, points_mm)
        image = (head_mm - np.asarray(self.scan.centre_mm)) @ self.scan.rotation.T
        return np.asarray((image - np.asarray(self.first_mm)) / np.asarray(self.spacing_mm))

    def window_around(self, centre_mm: np.ndarray, reach_mm: float) -> tuple[slice, slice, slice] | None:
        """Return index ranges that hold a template ball, or None where it lies outside."""
        centre = self.index_of_template(centre_mm[None])[0]
        ranges = []
        for axis in range(3):
            half = reach_mm / self.spacing_mm[axis]
            low = max(0, int(np.floor(centre[axis] - half)))
            high = min(self.shape[axis], int(np.ceil(centre[axis] + half)) + 1)
            if low >= high:
                return None
            ranges.append(slice(low, high))
        return (ranges[0], ranges[1], ranges[2])


def make_lattice(
    head: HeadPlan,
    scan: ScanPlan,
    *,
    shape: tuple[int, int, int],
    spacing_mm: Vector,
    first_mm: Vector,
) -> Lattice:
    """Place a lattice in the scan's image axes and find its template positions."""
    axes = [
        torch.tensor(f + s * np.arange(n), dtype=torch.float32)
        for f, s, n in zip(first_mm, spacing_mm, shape, strict=True)
    ]
    image = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    rotation, centre = (torch.tensor(v, dtype=torch.float32) for v in (scan.rotation, scan.centre_mm))
    template = head_to_template(head, image @ rotation + centre)
    return Lattice(shape=shape, spacing_mm=spacing_mm, first_mm=first_mm, template_mm=template, head=head, scan=scan)


def head_to_template(head: HeadPlan, points_mm: torch.Tensor) -> torch.Tensor:
    """Map head positions ``(..., 3)`` to the template: affine about the brain's middle, then the warp."""
    affine, centre = (torch.tensor(v, dtype=torch.float32) for v in (head.affine, BRAIN_CENTRE_MM))
    return (points_mm - centre) @ affine.T + centre + _warp(head, points_mm)


def template_to_head(head: HeadPlan, points_mm: np.ndarray) -> np.ndarray:
    """Invert :func:`head_to_template` by fixed-point iteration, to well below a voxel."""
    centre = np.asarray(BRAIN_CENTRE_MM)
    inverse = np.linalg.inv(head.affine)
    found = (points_mm - centre) @ inverse.T + centre
    for _ in range(5):
        shift = _warp(head, torch.tensor(found, dtype=torch.float32)).numpy()
        found = (points_mm - shift - centre) @ inverse.T + centre
    return np.asarray(found)


def _warp(head: HeadPlan, points_mm: torch.Tensor) -> torch.Tensor:
    """Return the elastic displacement ``(..., 3)`` at head positions."""
    controls = torch.tensor(head.warp_mm, dtype=torch.float32)
    step = 2 * _WARP_HALF_MM / (controls.shape[-1] - 1)
    first = vector(centre - _WARP_HALF_MM for centre in BRAIN_CENTRE_MM)
    return torch.movedim(sample(controls, first, step, points_mm), 0, -1)


def along(values: np.ndarray, axis: int) -> torch.Tensor:
    """Return values along one axis as a float32 volume that broadcasts over the other two."""
    return torch.tensor(values, dtype=torch.float32).reshape([-1 if i == axis else 1 for i in range(3)])
