"""Hybrid data fidelity inversion of the local field with total variation: first robust, then accurate.

Stage 1, a few iterations of ``min_χ |w (D χ - f)|₁ + α₁ |∇χ|₁``, is not misled by voxels whose field is wrong; stage 2,
``min_χ ½ |w (D χ - f)|² + α |∇χ|₁``, starts from there and restores the detail (Lambert 2022, doi:10.1002/mrm.29218).
Stage 2 alone is the linear variant of FANSI (Milovic 2018, doi:10.1002/mrm.27073).

Both use alternating directions: ``min_χ Φ(D χ) + α |∇χ|₁`` is split into ``z = D χ`` and ``g = ∇χ``, and each of the
three sub-problems has a closed form: χ in k-space, ``g`` by shrinkage, ``z`` by the proximal map of the data term Φ
(Bilgic 2014, doi:10.1002/mrm.25029; Milovic 2018).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from recon.inversion.constants import INVERSION
from recon.inversion.tikhonov import padded_shape
from recon.inversion.weights import data_weights
from recon.operators.differences import gradient, gradient_adjoint, gradient_energy
from recon.operators.dipole import convolve, dipole_kernel
from recon.types import Grid

_MU_RATIO = 100.0
"""Consistency weight of the slopes over the weight of the total variation."""
_TOLERANCE = 1e-2
"""Relative change of the map at which stage 2 stops."""
_ROBUST_ALPHA_MM = 0.02
"""Weight of the total variation in stage 1."""
_OUTLIER_PPM = 0.02
"""What one iteration of stage 1 forgives a voxel of median noise; the inverse of its consistency weight."""


def hd_qsm(
    local_field_ppm: torch.Tensor,
    mask: torch.Tensor,
    noise_ppm: torch.Tensor,
    grid: Grid,
    *,
    alpha: float = INVERSION.hd_qsm_alpha,
    robust_iterations: int = 20,
    most_iterations: int = 80,
) -> torch.Tensor:
    """Return the susceptibility by L1, then L2, data fidelity with total variation.

    Stage 2 stops when an iteration changes the map by less than 1 % of its norm; stage 1 has a fixed length.

    Parameters
    ----------
    local_field_ppm
        ``(x, y, z)`` float32, zero outside the mask.
    mask
        ``(x, y, z)`` bool.
    noise_ppm
        ``(x, y, z)`` float32 standard deviation of the field; the weights are inverse to it.
    grid
        Geometry.
    alpha
        Weight of the total variation in stage 2, in ppm · mm.
    robust_iterations, most_iterations
        Iterations of stage 1, none to leave it out, and most of stage 2.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, zero outside the mask.
    """
    split = _Splitting(grid=grid, device=local_field_ppm.device)
    weights = split.pad(data_weights(noise_ppm, mask))
    measured = split.pad(local_field_ppm)
    split.minimise(
        lambda wanted: measured + _shrink(wanted - measured, weights * _OUTLIER_PPM),
        alpha=_ROBUST_ALPHA_MM,
        mu_field=1.0 / _OUTLIER_PPM,
        tolerance=0.0,
        most_iterations=robust_iterations,
    )
    split.forget_duals()
    squared = weights**2
    split.minimise(
        lambda wanted: (squared * measured + wanted) / (squared + 1.0),
        alpha=alpha,
        mu_field=1.0,
        tolerance=_TOLERANCE,
        most_iterations=most_iterations,
    )
    x, y, z = grid.shape
    return split.chi_ppm[:x, :y, :z] * mask


def _shrink(values: torch.Tensor, threshold: torch.Tensor | float) -> torch.Tensor:
    """Bring values nearer to zero by a threshold, and to zero below it."""
    return values - torch.clamp(values, -threshold, threshold)  # type: ignore[arg-type]


@dataclass(kw_only=True)
class _Splitting:
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
    field_dual: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        """Start from zero."""
        self.shape = padded_shape(self.grid)
        self.kernel = dipole_kernel(self.shape, self.grid.voxel_size_mm, self.grid.b0_direction, self.device)
        self.energy = gradient_energy(self.shape, self.grid.voxel_size_mm, self.device)
        self.chi_ppm, self.field_dual = (torch.zeros(self.shape, device=self.device) for _ in range(2))
        self.slopes, self.slopes_dual = (torch.zeros(3, *self.shape, device=self.device) for _ in range(2))

    def pad(self, volume: torch.Tensor) -> torch.Tensor:
        """Return a volume with zeros at its far ends."""
        padded = torch.zeros_like(self.chi_ppm)
        padded[tuple(slice(n) for n in volume.shape)] = volume
        return padded

    def forget_duals(self) -> None:
        """Keep the map and its slopes for another problem; the duals belong to the old one."""
        self.slopes_dual.zero_()
        self.field_dual.zero_()

    def minimise(
        self,
        data_term: Callable[[torch.Tensor], torch.Tensor],
        *,
        alpha: float,
        mu_field: float,
        tolerance: float,
        most_iterations: int,
    ) -> None:
        """Iterate until the map changes by less than ``tolerance`` of its norm.

        Parameters
        ----------
        data_term
            Proximal map of the data term, with step ``1 / mu_field``, on the padded volume.
        alpha
            Weight of the total variation.
        mu_field
            Consistency weight of the field; that of the slopes goes with ``alpha``.
        tolerance
            Relative change of the map at which to stop.
        most_iterations
            Most iterations.
        """
        mu_slopes = _MU_RATIO * alpha
        inverse = 1.0 / (mu_slopes * self.energy + mu_field * self.kernel**2)
        inverse[0, 0, 0] = 0.0
        for _ in range(most_iterations):
            self.field_dual += convolve(self.chi_ppm, self.kernel, self.shape)
            field_ppm = data_term(self.field_dual)
            self.field_dual -= field_ppm
            before = self.chi_ppm
            wanted = gradient_adjoint(self.slopes - self.slopes_dual, self.grid.voxel_size_mm)
            spectrum = torch.fft.rfftn(wanted) * mu_slopes
            spectrum += torch.fft.rfftn(field_ppm - self.field_dual) * (mu_field * self.kernel)
            self.chi_ppm = torch.fft.irfftn(spectrum * inverse, s=self.shape)
            slopes = gradient(self.chi_ppm, self.grid.voxel_size_mm)
            slopes += self.slopes_dual
            self.slopes = _shrink(slopes, alpha / mu_slopes)
            self.slopes_dual = slopes.sub_(self.slopes)
            if (self.chi_ppm - before).norm() <= tolerance * self.chi_ppm.norm():
                break
