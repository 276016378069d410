"""What makes a measurement hard, as plain data: one plan per effect, whose defaults are its typical strength.

A plan is drawn by :mod:`recon.lab.simulation.draw.effects` and applied by :mod:`recon.lab.simulation.effects`. The
readout is along x, phase encoding along y, and partitions or slices along z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Vector = tuple[float, float, float]
Combination = Literal["aligned", "adaptive", "body_coil"]


@dataclass(frozen=True, kw_only=True)
class LoopPlan:
    """A circular receive loop.

    Parameters
    ----------
    centre_mm, normal
        Position and axis in head axes (right, anterior, superior).
    radius_mm
        Its radius.
    phase_rad
        Phase of its receiver chain.
    misalignment_rad
        Phase that alignment leaves, as noise at the point of alignment does.
    """

    centre_mm: Vector
    normal: Vector
    radius_mm: float
    phase_rad: float
    misalignment_rad: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CoilsPlan:
    """A receive array and how the scanner combines its channels.

    Parameters
    ----------
    loops
        The array's loops.
    combination
        ``"aligned"``: phases aligned at one point, then weighted by magnitude; ``"adaptive"``: phase of a reference
        coil; ``"body_coil"``: phase of the virtual body coil.
    reference_mm
        Point of alignment, in head axes; the loop that receives most from it is the reference coil.
    flipped
        Index of the loop whose sign is wrong after alignment; None for none.
    """

    loops: tuple[LoopPlan, ...]
    combination: Combination = "aligned"
    reference_mm: Vector = (0.0, -18.0, 8.0)
    flipped: int | None = None


@dataclass(frozen=True, kw_only=True)
class ConductivityPlan:
    """Curvature of the transmit and receive phase in conducting tissue: ``sigma_s_per_m`` is its conductivity."""

    sigma_s_per_m: float = 0.5


@dataclass(frozen=True, kw_only=True)
class KSpacePlan:
    """Which part of the image's k-space was acquired; each vector along x, y, z.

    Parameters
    ----------
    acquired
        Share of the image's matrix that was acquired; the rest is filled with zeros.
    partial
        Share of the acquired lines that partial Fourier keeps, 0.5 to 1.
    window
        Filter over the acquired part.
    taper
        Share of the window that falls off: 0 is a box, 1 a raised cosine over all of it.
    """

    acquired: Vector = (0.75, 0.75, 0.75)
    partial: Vector = (1.0, 0.75, 0.75)
    window: Literal["none", "hamming", "tukey"] = "none"
    taper: float = 0.3


@dataclass(frozen=True, kw_only=True)
class RespirationPlan:
    """Breathing moves the field while the lines are acquired.

    Parameters
    ----------
    hz_at_3t
        Amplitude in the middle of the brain at 3 T; it grows with B0 and towards the neck.
    breaths_hz
        Breathing frequency.
    phase_rad
        Phase of the first line in the breathing cycle.
    """

    hz_at_3t: float = 2.0
    breaths_hz: float = 0.27
    phase_rad: float = 0.0


@dataclass(frozen=True, kw_only=True)
class DriftPlan:
    """Slow drift of the field during the scan, and phase that differs between the echoes.

    Parameters
    ----------
    hz
        Change of the whole field from the first line to the last.
    eddy_rad
        Constant phase of the first echo, from eddy currents.
    eddy_echoes
        Number of echoes over which it decays by a factor of e.
    """

    hz: float = 3.0
    eddy_rad: float = 0.2
    eddy_echoes: float = 2.0


@dataclass(frozen=True, kw_only=True)
class ArteryPlan:
    """An artery: corners of its centre line in template mm, radius, and peak speed."""

    corners_mm: tuple[Vector, ...]
    radius_mm: float
    speed_cm_per_s: float


@dataclass(frozen=True, kw_only=True)
class FlowPlan:
    """Blood that moves along a gradient gains phase.

    Parameters
    ----------
    arteries
        Arteries; the veins are those of the head.
    vein_speed_cm_per_s
        Peak speed in veins.
    venc_cm_per_s
        Speed whose phase is pi at an echo time of 10 ms.
    power
        How the first moment grows with echo time: 1 or 2.
    direction
        Unit vector of the gradient that encodes flow, in image axes.
    """

    arteries: tuple[ArteryPlan, ...] = ()
    vein_speed_cm_per_s: float = 15.0
    venc_cm_per_s: float = 60.0
    power: int = 1
    direction: Vector = (1.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class FatPlan:
    """Fat is displaced along the readout.

    Parameters
    ----------
    bandwidth_hz
        Readout bandwidth per voxel.
    bipolar
        Whether even echoes are read backwards, so that the displacement changes sign.
    """

    bandwidth_hz: float = 250.0
    bipolar: bool = False


@dataclass(frozen=True, kw_only=True)
class CompartmentsPlan:
    """Water in and around myelin: a frequency of white matter that changes with echo time and fibre direction.

    Parameters
    ----------
    myelin, axon
        Shares of the signal at echo time zero; the rest is extra-axonal water.
    myelin_t2star_s, other_t2star_s
        T2* of myelin water and of all other water at 3 T.
    chi_isotropic_ppm, chi_anisotropic_ppm
        Radial susceptibility tensor of myelin.
    exchange_ppm
        Frequency of myelin water by exchange.
    g_ratio
        Inner over outer radius of the sheath.
    """

    myelin: float = 0.12
    axon: float = 0.5
    myelin_t2star_s: float = 0.008
    other_t2star_s: float = 0.036
    chi_isotropic_ppm: float = -0.1
    chi_anisotropic_ppm: float = -0.1
    exchange_ppm: float = 0.02
    g_ratio: float = 0.8


@dataclass(frozen=True, kw_only=True)
class AnisotropyPlan:
    """Susceptibility of white matter along its fibres minus across them, ``difference_ppm``; the mean stays."""

    difference_ppm: float = 0.02


@dataclass(frozen=True, kw_only=True)
class PosePlan:
    """A pose of the head, relative to the first: ``shift_mm`` and ``rotation_deg`` about x, y, z."""

    shift_mm: Vector
    rotation_deg: Vector


@dataclass(frozen=True, kw_only=True)
class MotionPlan:
    """The head moves during the scan: pose ``i`` holds from ``starts[i]``, a share of the scan time, on."""

    poses: tuple[PosePlan, ...] = (PosePlan(shift_mm=(0.3, 0.5, 0.8), rotation_deg=(0.8, 0.3, 0.4)),)
    starts: tuple[float, ...] = (0.7,)


@dataclass(frozen=True, kw_only=True)
class SlicesPlan:
    """Each 2D slice has a phase of its own, the same for all echoes.

    Parameters
    ----------
    jitter_rad
        Standard deviation of the random part.
    growth_rad
        Step from slice to slice.
    seed
        Seed of the random part.
    """

    jitter_rad: float = 0.3
    growth_rad: float = 0.1
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class SlabsPlan:
    """A volume acquired in slabs of equal thickness, one entry each: constant phase, and field step."""

    phase_rad: tuple[float, ...] = (0.0, 0.8, -0.5)
    step_hz: tuple[float, ...] = (0.0, 1.5, -1.0)


@dataclass(frozen=True, kw_only=True)
class SubvoxelsPlan:
    """Dephasing near strong sources is summed over ``parts``³ subvoxels where phase steps pass ``turns``."""

    parts: int = 3
    turns: float = 0.25


@dataclass(frozen=True, kw_only=True)
class EffectsPlan:
    """The effects of one scan; None switches an effect off.

    Parameters
    ----------
    two_dimensional
        Whether slices are excited one by one: then z is not phase-encoded.
    repetition_time_s
        Time between two excitations of the same slice or slab.
    fibre_seed
        Seed of the fibre directions, which ``compartments`` and ``anisotropy`` share.
    """

    two_dimensional: bool = False
    repetition_time_s: float = 0.035
    fibre_seed: int = 0
    coils: CoilsPlan | None = None
    conductivity: ConductivityPlan | None = None
    kspace: KSpacePlan | None = None
    respiration: RespirationPlan | None = None
    drift: DriftPlan | None = None
    flow: FlowPlan | None = None
    fat: FatPlan | None = None
    compartments: CompartmentsPlan | None = None
    anisotropy: AnisotropyPlan | None = None
    motion: MotionPlan | None = None
    slices: SlicesPlan | None = None
    slabs: SlabsPlan | None = None
    subvoxels: SubvoxelsPlan | None = None


NO_EFFECTS = EffectsPlan()
"""The plan that changes nothing."""
