"""Preconditioned total field inversion.

``min_y ½ |w (D P y - f)|² + λ |M ∇(P y)|₁`` and ``χ = P y``: sources inside and outside the mask are sought at once,
and ``P``, large outside, lets the strong outside sources converge as fast as tissue (Liu 2017,
doi:10.1002/mrm.26331). ``M`` leaves the edges that the data weights show unpenalised (Liu 2012,
doi:10.1016/j.neuroimage.2011.08.082). Solved by reweighted least squares, each with conjugate gradients.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from recon.inversion.constants import INVERSION
from recon.inversion.tikhonov import padded_shape
from recon.inversion.weights import data_weights
from recon.operators.differences import gradient, gradient_adjoint
from recon.operators.dipole import convolve, dipole_kernel
from recon.types import Grid

_EDGE_SHARE = 0.3
"""Share of the mask's voxels that are edges and not penalised."""
_TOLERANCE = 1e-3
"""Relative residual at which a linear system is solved."""
_SMALLEST_SLOPE = 1e-3
"""Slope in ppm/mm below which the L1 norm is rounded off."""

Operator = Callable[[torch.Tensor], torch.Tensor]


def tfi(
    field_ppm: torch.Tensor,
    mask: torch.Tensor,
    noise_ppm: torch.Tensor,
    grid: Grid,
    *,
    regularisation: float = INVERSION.tfi_regularisation,
    outside: float = INVERSION.tfi_outside,
    reweightings: int = 3,
    most_iterations: int = 40,
) -> torch.Tensor:
    """Return the susceptibility inside the mask from the total field.

    Each of the ``reweightings`` stops when the residual of its linear system has fallen to a thousandth.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field.
    mask
        ``(x, y, z)`` bool.
    noise_ppm
        ``(x, y, z)`` float32 standard deviation of the field; the weights are inverse to it.
    grid
        Geometry.
    regularisation
        λ, in ppm · mm.
    outside
        Value of the preconditioner outside the mask; 1 inside.
    reweightings
        Number of least-squares problems.
    most_iterations
        Most conjugate-gradient iterations for each of them.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, zero outside the mask.
    """
    shape = padded_shape(grid)
    window = tuple(slice(n) for n in grid.shape)
    weights = torch.zeros(shape, device=field_ppm.device)
    weights[window] = data_weights(noise_ppm, mask)
    measured = torch.zeros_like(weights)
    measured[window] = torch.where(mask, field_ppm - field_ppm[mask].mean(), 0.0) if mask.any() else 0.0
    flat = _flat_places(weights, grid)
    scale = torch.where(weights > 0, 1.0, outside)
    kernel = dipole_kernel(shape, grid.voxel_size_mm, grid.b0_direction, field_ppm.device)

    def dipole(chi: torch.Tensor) -> torch.Tensor:  # its own adjoint
        return convolve(chi, kernel, shape)

    right = scale * dipole(weights**2 * measured)
    solution = torch.zeros_like(weights)
    for _ in range(reweightings):
        slopes = gradient(scale * solution, grid.voxel_size_mm)
        penalty = regularisation * flat / torch.sqrt(slopes**2 + _SMALLEST_SLOPE**2)

        def normal(y: torch.Tensor, penalty: torch.Tensor = penalty) -> torch.Tensor:
            chi = scale * y
            smooth = gradient_adjoint(penalty * gradient(chi, grid.voxel_size_mm), grid.voxel_size_mm)
            return scale * (dipole(weights**2 * dipole(chi)) + smooth)

        solution = _conjugate_gradients(normal, right, solution, most_iterations)
    return (scale * solution)[window] * mask


def _flat_places(weights: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return 0 at the steepest slopes of the weights inside the mask, 1 elsewhere, per direction."""
    inside = weights > 0
    slopes = gradient(weights, grid.voxel_size_mm).abs()
    for axis in range(3):
        slopes[axis] *= inside & torch.roll(inside, -1, axis)
    count = int(_EDGE_SHARE * int(inside.sum()) * 3)
    if count == 0:
        return torch.ones_like(slopes)
    limit = slopes.flatten().topk(count).values[-1]
    return torch.where((slopes >= limit) & (slopes > 0), 0.0, 1.0)


def _conjugate_gradients(
    normal: Operator,
    right: torch.Tensor,
    start: torch.Tensor,
    most_iterations: int,
) -> torch.Tensor:
    """Solve ``normal(y) = right`` from ``start``."""
    solution = start.clone()
    residual = right - normal(solution)
    direction = residual.clone()
    energy = float(residual.double().square().sum())
    goal = _TOLERANCE**2 * float(right.double().square().sum())
    for _ in range(most_iterations):
        if energy <= goal:
            break
        moved = normal(direction)
        step = energy / float((direction.double() * moved).sum())
        solution += step * direction
        residual -= step * moved
        before, energy = energy, float(residual.double().square().sum())
        direction = residual + (energy / before) * direction
    return solution
