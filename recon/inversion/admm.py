"""Total variation by alternating directions: the iteration that TV and HD-QSM share.

``min_χ Φ(D χ) + α |∇χ|₁`` is split into ``z = D χ`` and ``g = ∇χ``; each of the three sub-problems has a closed form:
χ in k-space, ``g`` by shrinkage, ``z`` by the proximal map of the data term Φ (Bilgic 2014, doi:10.1002/mrm.25029;
Milovic 2018, doi:10.1002/mrm.27073).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from recon.inversion.tikhonov import padded_shape
from recon.inversion.weights import Progress
from recon.operators.differences import gradient, gradient_adjoint, gradient_energy
from recon.operators.dipole import dipole_kernel
from recon.types import Grid

DataTerm = Callable[[torch.Tensor], torch.Tensor]
"""Proximal map of the data term at a given field."""


@dataclass(kw_only=True)
class Splitting:
    """Variables of the iteration on the padded volume; changed in place.

    Parameters
    ----------
    grid
        Geometry of the unpadded volume.
    device
        Where to compute.
    """

    grid: Grid
    device: torch.device
    chi_ppm: torch.Tensor = field(init=False)
    slopes: torch.Tensor = field(init=False)
    slopes_dual: torch.Tensor = field(init=False)
    field_ppm: torch.Tensor = field(init=False)
    field_dual: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        """Start from zero."""
        shape = padded_shape(self.grid)
        self.kernel = dipole_kernel(shape, self.grid.voxel_size_mm, self.grid.b0_direction, self.device)
        self.energy = gradient_energy(shape, self.grid.voxel_size_mm, self.device)
        self.chi_ppm, self.field_ppm, self.field_dual = (torch.zeros(shape, device=self.device) for _ in range(3))
        self.slopes, self.slopes_dual = (torch.zeros(3, *shape, device=self.device) for _ in range(2))

    def pad(self, volume: torch.Tensor) -> torch.Tensor:
        """Return a volume with zeros at its far ends."""
        padded = torch.zeros_like(self.chi_ppm)
        padded[tuple(slice(n) for n in volume.shape)] = volume
        return padded

    def forget_duals(self) -> None:
        """Keep map, slopes and field for another problem; the duals belong to the old one."""
        self.slopes_dual.zero_()
        self.field_dual.zero_()

    def crop(self) -> torch.Tensor:
        """Return the susceptibility on the unpadded volume."""
        x, y, z = self.grid.shape
        return self.chi_ppm[:x, :y, :z].clone()


def shrink(values: torch.Tensor, threshold: torch.Tensor | float) -> torch.Tensor:
    """Bring values nearer to zero by a threshold, and to zero below it."""
    return values - torch.clamp(values, -threshold, threshold)  # type: ignore[arg-type]


def minimise(
    split: Splitting,
    data_term: DataTerm,
    *,
    alpha: float,
    mu_slopes: float,
    mu_field: float,
    tolerance: float,
    most_iterations: int,
    progress: Progress,
) -> None:
    """Iterate from where ``split`` stands until the map changes by less than ``tolerance`` of its norm.

    Parameters
    ----------
    split
        Variables.
    data_term
        Proximal map of the data term, with step ``1 / mu_field``, on the padded volume.
    alpha
        Weight of the total variation, in ppm · mm.
    mu_slopes, mu_field
        Consistency weights of the two splittings.
    tolerance
        Relative change of the map at which to stop.
    most_iterations
        Most iterations.
    progress
        Told of each iteration.
    """
    inverse = 1.0 / (mu_slopes * split.energy + mu_field * split.kernel**2)
    inverse[0, 0, 0] = 0.0
    for iteration in range(1, most_iterations + 1):
        split.field_dual += _field(split)
        split.field_ppm = data_term(split.field_dual)
        split.field_dual -= split.field_ppm
        before = split.chi_ppm
        _update_map(split, inverse, mu_slopes, mu_field)
        slopes = gradient(split.chi_ppm, split.grid.voxel_size_mm)
        slopes += split.slopes_dual
        split.slopes = shrink(slopes, alpha / mu_slopes)
        split.slopes_dual = slopes.sub_(split.slopes)
        progress(iteration, most_iterations)
        if (split.chi_ppm - before).norm() <= tolerance * split.chi_ppm.norm():
            break


def _update_map(split: Splitting, inverse: torch.Tensor, mu_slopes: float, mu_field: float) -> None:
    """Solve for the map that agrees best with slopes and field."""
    wanted = gradient_adjoint(split.slopes - split.slopes_dual, split.grid.voxel_size_mm)
    spectrum = torch.fft.rfftn(wanted) * mu_slopes
    spectrum += torch.fft.rfftn(split.field_ppm - split.field_dual) * (mu_field * split.kernel)
    split.chi_ppm = torch.fft.irfftn(spectrum * inverse, s=split.chi_ppm.shape)


def _field(split: Splitting) -> torch.Tensor:
    """Return the field of the map on the padded volume."""
    made: torch.Tensor = torch.fft.irfftn(torch.fft.rfftn(split.chi_ppm) * split.kernel, s=split.chi_ppm.shape)
    return made
