"""Receive field of an array of loops and its combination, as scanners do it.

The field of a loop is that of a steady current (by elliptic integrals: Simpson et al. 2001, NASA 20010038494); what it
receives is the part across B0 that turns with the spins, ``B1- = B·e1 - i B·e2``. The combined image has the magnitude
of the root sum of squares and the phase of one of three combinations:

* *aligned*: channels aligned in phase at one point, then summed with their magnitudes as weights;
* *adaptive*: the phase of one reference coil, the limit of small blocks of Walsh et al. 2000
  (doi:10.1002/(SICI)1522-2594(200005)43:5<682::AID-MRM10>3.0.CO;2-G);
* *body coil*: the virtual reference coil of Parker et al. 2014 (doi:10.1002/mrm.24932), the first singular vector.

Where a combination passes through zero, its phase has an open-ended fringe line.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from scipy.special import ellipe, ellipk

from recon.lab.simulation.draw.effect_plans import CoilsPlan, LoopPlan, Vector
from recon.lab.simulation.draw.plan import BRAIN_CENTRE_MM

_BRAIN_RADIUS_MM = 70.0
_WIRE_MM = 4.0
"""Radius of the conductor: the field does not grow beyond its value there."""


def loop_field_per_mm(points_mm: np.ndarray, loop: LoopPlan) -> np.ndarray:
    """Return the field ``(..., 3)`` of a loop at ``(..., 3)``, in units of mu0 times its current per mm."""
    normal = np.asarray(loop.normal) / np.linalg.norm(loop.normal)
    a = loop.radius_mm
    offset = points_mm - np.asarray(loop.centre_mm)
    z = offset @ normal
    across = offset - z[..., None] * normal
    # On the axis the radial field is zero, but its formula is 0/0.
    rho = np.maximum(np.linalg.norm(across, axis=-1), 1e-3 * a)
    near = np.maximum(a**2 + rho**2 + z**2 - 2 * a * rho, _WIRE_MM**2)
    far = near + 4 * a * rho
    modulus = 1.0 - near / far
    first, second = ellipk(modulus), ellipe(modulus)
    scale = 1.0 / (2 * np.pi * near * np.sqrt(far))
    radial = scale * z / rho * ((a**2 + rho**2 + z**2) * second - near * first)
    axial = scale * ((a**2 - rho**2 - z**2) * second + near * first)
    return np.asarray(radial[..., None] * across / rho[..., None] + axial[..., None] * normal)


def sensitivities(points_mm: np.ndarray, loops: tuple[LoopPlan, ...], b0_direction: Vector) -> np.ndarray:
    """Return the complex sensitivities ``(coil, ...)`` at ``(..., 3)``, B0 in the same axes as the points."""
    b0 = np.asarray(b0_direction)
    side = np.cross(b0, np.eye(3)[np.argmin(np.abs(b0))])
    side /= np.linalg.norm(side)
    receive = side - 1j * np.cross(b0, side)
    return np.stack([loop_field_per_mm(points_mm, p) @ receive * np.exp(1j * p.phase_rad) for p in loops])


def combined(coils: np.ndarray, at_reference: np.ndarray, plan: CoilsPlan, central: np.ndarray) -> np.ndarray:
    """Combine complex sensitivities to the field whose phase the image has.

    Parameters
    ----------
    coils
        ``(coil, x, y, z)``.
    at_reference
        ``(coil,)`` at the point of alignment.
    plan
        Which combination.
    central
        ``(x, y, z)`` bool: where channels are compared.

    Returns
    -------
    np.ndarray
        ``(x, y, z)`` complex.
    """
    sign = np.ones(len(coils))
    if plan.flipped is not None:
        sign[plan.flipped] = -1.0
    coils = coils * sign[:, None, None, None]
    if plan.combination == "aligned":
        left = np.array([loop.misalignment_rad for loop in plan.loops])
        weights = np.exp(1j * (left - np.angle(at_reference)))
        return np.asarray(np.einsum("c,cxyz->xyz", weights, np.abs(coils) * coils))
    if plan.combination == "adaptive":
        return np.asarray(coils[np.argmax(np.abs(at_reference))])
    vectors, _, _ = np.linalg.svd(coils[:, central], full_matrices=False)
    return np.asarray(np.einsum("c,cxyz->xyz", vectors[:, 0].conj(), coils))


def interpolated(
    coarse: np.ndarray, from_mm: list[np.ndarray], to_mm: list[np.ndarray], device: torch.device
) -> torch.Tensor:
    """Interpolate a volume between two rectilinear lattices by cubic splines; complex64 or float32."""
    dtype = torch.complex64 if np.iscomplexobj(coarse) else torch.float32
    volume = torch.tensor(coarse, dtype=dtype, device=device)
    for axis in range(3):
        weights = CubicSpline(from_mm[axis], np.eye(len(from_mm[axis])))(to_mm[axis])
        matrix = torch.tensor(weights, dtype=dtype, device=device)
        volume = torch.movedim(torch.tensordot(matrix, volume, dims=([1], [axis])), 0, axis)
    return volume


def receive_field(
    plan: CoilsPlan,
    coarse_mm: list[np.ndarray],
    to_mm: list[np.ndarray],
    to_head: tuple[np.ndarray, np.ndarray],
    b0_head: Vector,
    device: torch.device,
) -> torch.Tensor:
    """Return the complex receive field ``(x, y, z)`` of the combined image, its mean magnitude 1 in the brain.

    Parameters
    ----------
    plan
        Loops and combination.
    coarse_mm
        Image positions along x, y, z of the lattice on which coils are computed, 4 or more each.
    to_mm
        Image positions along x, y, z of the wanted lattice.
    to_head
        ``(3, 3)`` rotation and ``(3,)`` shift: ``head = image @ rotation + shift``.
    b0_head
        Unit vector of B0 in head axes.
    device
        Where to make it.
    """
    image = np.stack(np.meshgrid(*coarse_mm, indexing="ij"), -1)
    points = image @ to_head[0] + to_head[1]
    coils = sensitivities(points, plan.loops, b0_head)
    distance = np.linalg.norm(points - np.asarray(BRAIN_CENTRE_MM), axis=-1)
    central = distance <= max(_BRAIN_RADIUS_MM, float(distance.min()))
    reference = sensitivities(np.asarray(plan.reference_mm), plan.loops, b0_head)
    phase = interpolated(combined(coils, reference, plan, central), coarse_mm, to_mm, device).angle()
    root = np.linalg.norm(coils, axis=0)
    return torch.polar(interpolated(root / root[central].mean(), coarse_mm, to_mm, device).clamp(min=0.0), phase)
