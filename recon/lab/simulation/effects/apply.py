"""Where each effect acts: on the field, on the signal of the fine lattice, on the image's echoes, and on the noise.

The functions take a plan of effects beside the head and the scan; an effect that the plan leaves out changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from recon.lab.simulation.draw.effect_plans import EffectsPlan, FlowPlan
from recon.lab.simulation.draw.plan import BRAIN_CENTRE_MM, ScanPlan
from recon.lab.simulation.effects.anisotropy import anisotropic_field_ppm
from recon.lab.simulation.effects.coils import receive_field
from recon.lab.simulation.effects.compartments import compartment_factor
from recon.lab.simulation.effects.conductivity import conductivity_phase_rad
from recon.lab.simulation.effects.fat import displaced, displacement_voxels
from recon.lab.simulation.effects.fibres import fibre_directions, squared_sine
from recon.lab.simulation.effects.flow import centre_line, encoded_speed, rad_per_cm_per_s, velocity_map
from recon.lab.simulation.effects.kspace import acquired, acquired_noise
from recon.lab.simulation.effects.lines import line_times, scan_time_s
from recon.lab.simulation.effects.motion import moved
from recon.lab.simulation.effects.respiration import breathed, chest_profile, drifted
from recon.lab.simulation.effects.slices import slab_phase_rad, slice_phase_rad
from recon.lab.simulation.effects.subvoxels import subvoxel_factor
from recon.lab.simulation.field import HeadField
from recon.lab.simulation.head import WHITE_MATTER_LABEL
from recon.lab.simulation.lattice import Lattice, along, template_to_head
from recon.types import GAMMA_HZ_PER_TESLA, Grid

_COIL_STEP_MM = 6.0
_COIL_LEAST_POINTS = 4


@dataclass(frozen=True, kw_only=True)
class LatticeEffects:
    """What the effects need on the fine lattice, the same for all echoes; None where an effect is off.

    Parameters
    ----------
    receive
        ``(x, y, z)`` complex receive field, with the phase of conductivity.
    velocity_cm_per_s
        ``(x, y, z)`` encoded velocity of blood.
    squared_sine, white
        ``(x, y, z)`` angle between fibres and B0, and share of white matter.
    """

    receive: torch.Tensor | None
    velocity_cm_per_s: torch.Tensor | None
    squared_sine: torch.Tensor | None
    white: torch.Tensor | None


def lattice_effects(made: HeadField, scan: ScanPlan, plan: EffectsPlan) -> LatticeEffects:
    """Prepare the effects that act on the fine lattice, once per scan."""
    lattice = made.lattice
    sine = squared_sine(fibre_directions(lattice, plan.fibre_seed), scan.b0_direction) if plan.compartments else None
    return LatticeEffects(
        receive=_receive(lattice, plan),
        velocity_cm_per_s=_velocity_cm_per_s(lattice, plan.flow) if plan.flow else None,
        squared_sine=sine,
        white=_white_share(made) if plan.compartments else None,
    )


def disturbed_field_ppm(made: HeadField, scan: ScanPlan, plan: EffectsPlan) -> torch.Tensor:
    """Return the head's field before the shim ``(x, y, z)``, with that of anisotropic white matter."""
    if plan.anisotropy is None:
        return made.field_ppm
    lattice = made.lattice
    grid = Grid(shape=lattice.shape, voxel_size_mm=lattice.spacing_mm, b0_direction=scan.b0_direction)
    fibres = fibre_directions(lattice, plan.fibre_seed)
    return made.field_ppm + anisotropic_field_ppm(plan.anisotropy, fibres, _white_share(made), grid)


def dephasing_factor(
    field_ppm: torch.Tensor,
    signal: torch.Tensor,
    elsewhere: torch.Tensor,
    scan: ScanPlan,
    echo: int,
    plan: EffectsPlan,
) -> torch.Tensor:
    """Return what is left of the signal after dephasing within each point of the lattice.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` shimmed field.
    signal
        ``(x, y, z)`` signal without dephasing.
    elsewhere
        ``(x, y, z)`` what a linear field leaves.
    scan, echo, plan
        Acquisition, number of the echo from 0, and effects.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)``: complex where the plan sums subvoxels, ``elsewhere`` where it does not.
    """
    if plan.subvoxels is None:
        return elsewhere
    turns = field_ppm * (GAMMA_HZ_PER_TESLA * scan.b0_tesla * 1e-6 * scan.echo_times_s[echo])
    return subvoxel_factor(turns, signal, plan.subvoxels, elsewhere)


def fine_signal(
    signal: torch.Tensor, fat: torch.Tensor, ready: LatticeEffects, scan: ScanPlan, echo: int, plan: EffectsPlan
) -> torch.Tensor:
    """Disturb the signal of the fine lattice, before it is summed to voxels.

    Parameters
    ----------
    signal
        ``(x, y, z)`` complex.
    fat
        ``(x, y, z)`` share of fat.
    ready
        Of :func:`lattice_effects`.
    scan, echo, plan
        Acquisition, number of the echo from 0, and effects.
    """
    echo_time = scan.echo_times_s[echo]
    if plan.compartments and ready.squared_sine is not None and ready.white is not None:
        signal = signal * compartment_factor(
            plan.compartments, ready.squared_sine, ready.white, echo_time, scan.b0_tesla
        )
    if plan.flow and ready.velocity_cm_per_s is not None:
        phase = ready.velocity_cm_per_s * rad_per_cm_per_s(plan.flow, echo_time)
        signal = signal * torch.polar(torch.ones_like(phase), phase)
    if ready.receive is not None:
        signal = signal * ready.receive
    if plan.fat:
        points = displacement_voxels(plan.fat, echo, scan.b0_tesla) * scan.oversample[0]
        signal = signal * (1.0 - fat) + displaced(signal * fat, points)
    return signal


def image_echoes(echoes: torch.Tensor, scan: ScanPlan, plan: EffectsPlan) -> torch.Tensor:
    """Disturb the noise-free echoes ``(echo, x, y, z)`` of the image: line by line, in k-space, slice by slice."""
    times = scan.echo_times_s
    flat = plan.two_dimensional
    shares = line_times(scan.shape, flat).to(echoes.device)
    if plan.respiration:
        profile = chest_profile(_above_mm(scan, echoes.device))
        seconds = shares * scan_time_s(scan.shape, plan.repetition_time_s, flat)
        echoes = breathed(echoes, plan.respiration, profile, seconds, times, scan.b0_tesla, flat)
    if plan.drift:
        echoes = drifted(echoes, plan.drift, shares, times, flat)
    if plan.motion:
        echoes = moved(echoes, plan.motion, scan.voxel_size_mm, shares, flat)
    if plan.kspace:
        echoes = acquired(echoes, plan.kspace)
    if plan.slices:
        echoes = echoes * _unit(slice_phase_rad(plan.slices, scan.shape[2])).to(echoes.device)
    if plan.slabs:
        phase = torch.stack([slab_phase_rad(plan.slabs, scan.shape[2], t) for t in times])
        echoes = echoes * _unit(phase)[:, None, None].to(echoes.device)
    return echoes


def image_noise(noise: torch.Tensor, plan: EffectsPlan) -> torch.Tensor:
    """Return white noise ``(echo, x, y, z)`` as the acquired k-space leaves it, of the same variance."""
    return acquired_noise(noise, plan.kspace) if plan.kspace else noise


def _receive(lattice: Lattice, plan: EffectsPlan) -> torch.Tensor | None:
    """Return the complex receive field on a lattice."""
    receive = None
    shift = np.asarray(lattice.scan.centre_mm)
    axes = [lattice.axis_mm(axis) for axis in range(3)]
    if plan.coils:
        counts = [max(_COIL_LEAST_POINTS, math.ceil((a[-1] - a[0]) / _COIL_STEP_MM) + 1) for a in axes]
        coarse = [np.linspace(a[0], a[-1], n) for a, n in zip(axes, counts, strict=True)]
        head = (np.asarray(lattice.scan.rotation), shift)
        receive = receive_field(plan.coils, coarse, axes, head, lattice.scan.b0_head, lattice.template_mm.device)
    if plan.conductivity:
        middle = lattice.scan.rotation @ (np.asarray(BRAIN_CENTRE_MM) - shift)
        squared = torch.zeros((), device=lattice.template_mm.device)
        for axis, positions in enumerate(axes):
            squared = squared + along((positions - middle[axis]) ** 2, axis).to(squared.device)
        phase = _unit(conductivity_phase_rad(plan.conductivity, squared.sqrt(), lattice.scan.b0_tesla))
        receive = phase if receive is None else receive * phase
    return receive


def _velocity_cm_per_s(lattice: Lattice, plan: FlowPlan) -> torch.Tensor:
    """Return the encoded velocity in the head's veins and the plan's arteries on a lattice."""
    thinnest = float(np.mean(lattice.spacing_mm)) / 2
    vessels = [(v.points_mm, v.radius_mm, plan.vein_speed_cm_per_s) for v in lattice.head.veins]
    vessels += [(centre_line(np.asarray(a.corners_mm)), a.radius_mm, a.speed_cm_per_s) for a in plan.arteries]
    vessels = [vessel for vessel in vessels if vessel[1] >= thinnest]
    points, peaks, radii = np.zeros((0, 3)), np.zeros(0), np.zeros(0)
    for template_mm, radius, speed in vessels:
        head_mm = template_to_head(lattice.head, template_mm)
        image_mm = (head_mm - np.asarray(lattice.scan.centre_mm)) @ lattice.scan.rotation.T
        points = np.concatenate([points, image_mm])
        peaks = np.concatenate([peaks, encoded_speed(image_mm, speed, plan.direction)])
        radii = np.concatenate([radii, np.full(len(image_mm), radius)])
    velocity = velocity_map([lattice.axis_mm(axis) for axis in range(3)], points, peaks, radii)
    return torch.tensor(velocity, device=lattice.template_mm.device)


def _white_share(made: HeadField) -> torch.Tensor:
    """Return the share of white matter: its label, softened over a point of the lattice."""
    white = (made.volumes.label == WHITE_MATTER_LABEL).float()
    return torch.nn.functional.avg_pool3d(white[None, None], 3, stride=1, padding=1)[0, 0]


def _above_mm(scan: ScanPlan, device: torch.device) -> torch.Tensor:
    """Return how far each voxel ``(x, y, z)`` of the image lies above the middle of the brain, along the body."""
    above = torch.full((), scan.centre_mm[2] - BRAIN_CENTRE_MM[2], device=device)
    for axis, (count, size) in enumerate(zip(scan.shape, scan.voxel_size_mm, strict=True)):
        position_mm = (np.arange(count) - (count - 1) / 2) * size
        above = above + along(position_mm * float(scan.rotation[axis, 2]), axis).to(device)
    return above


def _unit(phase_rad: torch.Tensor) -> torch.Tensor:
    """Return ``exp(i phase)``."""
    return torch.polar(torch.ones_like(phase_rad), phase_rad)
