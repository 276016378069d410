"""Draw what makes a measurement hard: one row per effect, with how often it occurs and how it is drawn.

Each row draws from a stream of its own, so that a new row leaves the other effects of a seed as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from recon.lab.simulation.draw.effect_plans import (
    AnisotropyPlan,
    ArteryPlan,
    CoilsPlan,
    CompartmentsPlan,
    ConductivityPlan,
    DriftPlan,
    EffectsPlan,
    FatPlan,
    FlowPlan,
    KSpacePlan,
    LoopPlan,
    MotionPlan,
    PosePlan,
    RespirationPlan,
    SlabsPlan,
    SlicesPlan,
    SubvoxelsPlan,
)
from recon.lab.simulation.draw.plan import BRAIN_CENTRE_MM, vector

_HELMET_MM = (105.0, 125.0, 120.0)
"""Least semi-axes of the ellipsoid that carries the loops."""
_OPEN_BELOW = -0.45
"""Relative height below which a head coil is open."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The acquisition that effects are drawn for: ``bipolar`` readout, ``two_dimensional`` slices or a volume."""

    b0_tesla: float
    bipolar: bool
    two_dimensional: bool


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One effect.

    Parameters
    ----------
    probability
        Share of the scans that it occurs in.
    draw
        Draws its plan.
    typical
        Makes its plan of typical strength.
    only
        ``"2D"`` or ``"3D"`` where it exists in one of them alone.
    """

    probability: float
    draw: Callable[[np.random.Generator, Setting], object]
    typical: Callable[[], object]
    only: Literal["2D", "3D"] | None = None


def draw_effects(
    rng: np.random.Generator,
    *,
    b0_tesla: float,
    echo_times_s: tuple[float, ...],
    bipolar: bool = False,
    two_dimensional: bool = False,
) -> EffectsPlan:
    """Draw the effects of one scan, each with its own probability.

    Parameters
    ----------
    rng
        Source of randomness.
    b0_tesla, echo_times_s, bipolar, two_dimensional
        Acquisition.
    """
    setting = Setting(b0_tesla=b0_tesla, bipolar=bipolar, two_dimensional=two_dimensional)
    plan = EffectsPlan(
        two_dimensional=two_dimensional,
        repetition_time_s=float(rng.uniform(0.4, 1.0)) if two_dimensional else echo_times_s[-1] + 0.008,
        fibre_seed=int(rng.integers(2**31)),
    )
    drawn: dict[str, Any] = {}
    for (name, effect), own in zip(EFFECTS.items(), rng.spawn(len(EFFECTS)), strict=True):
        exists = effect.only is None or (effect.only == "2D") == two_dimensional
        if exists and own.random() < effect.probability:
            drawn[name] = effect.draw(own, setting)
    return replace(plan, **drawn)


def only(name: str) -> EffectsPlan:
    """Return a plan with one effect of typical strength and no other; see :data:`ALL_EFFECTS`."""
    effect = EFFECTS[name]
    alone: dict[str, Any] = {name: effect.typical()}
    return replace(EffectsPlan(two_dimensional=effect.only == "2D"), **alone)


def _array(rng: np.random.Generator, count: int, misalignment_rad: float) -> tuple[LoopPlan, ...]:
    """Return loops spread over a helmet that is open below, looking at the head."""
    semi = np.asarray(_HELMET_MM) + rng.uniform(0, 15, 3)
    loops = []
    for i in range(count):
        z = 1.0 - (1.0 - _OPEN_BELOW) * (i + 0.5) / count
        angle = np.pi * (1 + np.sqrt(5)) * i
        unit = np.array([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z])
        unit += rng.normal(0, 0.15, 3)
        unit /= np.linalg.norm(unit)
        loops.append(
            LoopPlan(
                centre_mm=vector(np.asarray(BRAIN_CENTRE_MM) + unit * semi),
                normal=vector(unit / semi * 100 + rng.normal(0, 0.3, 3)),
                radius_mm=float(rng.uniform(35, 60)),
                phase_rad=float(rng.uniform(-np.pi, np.pi)),
                misalignment_rad=float(rng.normal(0, misalignment_rad)),
            )
        )
    return tuple(loops)


def _coils(rng: np.random.Generator, setting: Setting) -> CoilsPlan:
    """8 to 32 loops; one sign in twelve arrays is wrong."""
    loops = _array(rng, int(rng.choice([8, 12, 16, 20, 32])), float(rng.uniform(0.0, 0.8)))
    combination = rng.choice(["aligned", "adaptive", "body_coil"], p=[0.4, 0.3, 0.3])
    return CoilsPlan(
        loops=loops,
        combination=str(combination),  # type: ignore[arg-type]
        reference_mm=vector(np.asarray(BRAIN_CENTRE_MM) + rng.normal(0, 25, 3)),
        flipped=int(rng.integers(len(loops))) if rng.random() < 1 / 12 else None,
    )


def _kspace(rng: np.random.Generator, setting: Setting) -> KSpacePlan:
    """Zero filling up to twofold in two scans of three, partial Fourier in half of them."""
    share = rng.uniform(0.5, 1.0, 3) if rng.random() < 2 / 3 else np.ones(3)
    share[0] = max(share[0], share[1])
    partial = np.array([1.0, *(rng.choice([1.0, 0.875, 0.75, 0.625], p=[0.55, 0.2, 0.2, 0.05], size=2))])
    if setting.two_dimensional:
        share[2] = partial[2] = 1.0
    window = rng.choice(["none", "hamming", "tukey"], p=[0.5, 0.2, 0.3])
    return KSpacePlan(
        acquired=vector(share),
        partial=vector(partial),
        window=str(window),  # type: ignore[arg-type]
        taper=float(rng.uniform(0.1, 0.6)),
    )


def _respiration(rng: np.random.Generator, setting: Setting) -> RespirationPlan:
    hz = float(np.exp(rng.uniform(np.log(0.5), np.log(5.0))))
    phase = float(rng.uniform(-np.pi, np.pi))
    return RespirationPlan(hz_at_3t=hz, breaths_hz=float(rng.uniform(0.2, 0.35)), phase_rad=phase)


def _drift(rng: np.random.Generator, setting: Setting) -> DriftPlan:
    eddy, echoes = float(rng.normal(0, 0.2)), float(rng.uniform(0.7, 4.0))
    return DriftPlan(hz=float(rng.normal(0, 3.0)), eddy_rad=eddy, eddy_echoes=echoes)


def _arteries(rng: np.random.Generator) -> tuple[ArteryPlan, ...]:
    """Carotid, middle, anterior and posterior cerebral arteries of both sides, and the basilar artery."""
    sided = [
        (((22, 5, -62), (22, -2, -42), (14, -2, -30), (11, 6, -22), (12, 4, -15)), 2.2, 60),
        (((12, 4, -15), (25, 4, -16), (40, 2, -12), (46, -8, 2), (50, -22, 14)), 1.4, 55),
        (((12, 4, -15), (3, 16, -14), (2, 34, -4), (2, 38, 14), (2, 20, 30)), 1.1, 45),
        (((2, -18, -16), (14, -24, -14), (20, -40, -8), (16, -66, -2)), 1.1, 40),
    ]
    lines = [(np.array(line, float) * (side, 1, 1), r, v) for line, r, v in sided for side in (1, -1)]
    lines.append((np.array([(0, -24, -58), (0, -26, -40), (0, -20, -24), (0, -18, -16)], float), 1.6, 45))
    drawn = []
    for corners, radius, speed in lines:
        bent = corners + rng.normal(0, 1.5, corners.shape)
        place = tuple(vector(corner) for corner in bent)
        size, pace = radius * float(rng.uniform(0.8, 1.25)), speed * float(rng.uniform(0.4, 1.0))
        drawn.append(ArteryPlan(corners_mm=place, radius_mm=size, speed_cm_per_s=pace))
    return tuple(drawn)


def _flow(rng: np.random.Generator, setting: Setting) -> FlowPlan:
    direction = np.array([1.0, *rng.normal(0, 0.4, 2)])
    return FlowPlan(
        arteries=_arteries(rng),
        vein_speed_cm_per_s=float(rng.uniform(5, 25)),
        venc_cm_per_s=float(np.exp(rng.uniform(np.log(30), np.log(200)))),
        power=int(rng.integers(1, 3)),
        direction=vector(direction / np.linalg.norm(direction)),
    )


def _fat(rng: np.random.Generator, setting: Setting) -> FatPlan:
    return FatPlan(bandwidth_hz=float(rng.uniform(100, 500)) * setting.b0_tesla / 3.0, bipolar=setting.bipolar)


def _compartments(rng: np.random.Generator, setting: Setting) -> CompartmentsPlan:
    return CompartmentsPlan(myelin=float(rng.uniform(0.06, 0.16)), g_ratio=float(rng.uniform(0.65, 0.85)))


def _motion(rng: np.random.Generator, setting: Setting) -> MotionPlan:
    """One or two moves of 0.2 to 2 mm and 0.2 to 2 degrees."""
    starts = np.sort(rng.uniform(0.05, 0.95, int(rng.integers(1, 3))))
    poses = []
    for _ in starts:
        direction, axis = (v / np.linalg.norm(v) for v in rng.standard_normal((2, 3)))
        size_mm, angle_deg = np.exp(rng.uniform(np.log(0.2), np.log(2.0), 2))
        poses.append(PosePlan(shift_mm=vector(direction * size_mm), rotation_deg=vector(axis * angle_deg)))
    return MotionPlan(poses=tuple(poses), starts=tuple(float(s) for s in starts))


def _slices(rng: np.random.Generator, setting: Setting) -> SlicesPlan:
    growth = float(rng.choice([0.0, 1.0]) * rng.normal(0, 0.3))
    return SlicesPlan(jitter_rad=float(rng.uniform(0, 0.5)), growth_rad=growth, seed=int(rng.integers(2**31)))


def _slabs(rng: np.random.Generator, setting: Setting) -> SlabsPlan:
    count = int(rng.integers(2, 5))
    phase, hz = rng.normal(0, 0.5, count), rng.normal(0, 1.0, count)
    return SlabsPlan(phase_rad=tuple(float(p) for p in phase), step_hz=tuple(float(h) for h in hz))


EFFECTS: dict[str, Effect] = {
    "coils": Effect(
        probability=0.9, draw=_coils, typical=lambda: CoilsPlan(loops=_array(np.random.default_rng(16), 16, 0.3))
    ),
    "conductivity": Effect(
        probability=0.9,
        draw=lambda rng, _: ConductivityPlan(sigma_s_per_m=float(rng.uniform(0.3, 1.0))),
        typical=ConductivityPlan,
    ),
    "kspace": Effect(probability=0.8, draw=_kspace, typical=KSpacePlan),
    "respiration": Effect(probability=0.6, draw=_respiration, typical=RespirationPlan),
    "drift": Effect(probability=0.7, draw=_drift, typical=DriftPlan),
    "flow": Effect(probability=0.7, draw=_flow, typical=lambda: FlowPlan(arteries=_arteries(np.random.default_rng(4)))),
    "fat": Effect(probability=0.9, draw=_fat, typical=FatPlan),
    "compartments": Effect(probability=0.8, draw=_compartments, typical=CompartmentsPlan),
    "anisotropy": Effect(
        probability=0.8,
        draw=lambda rng, _: AnisotropyPlan(difference_ppm=float(rng.uniform(0.005, 0.03))),
        typical=AnisotropyPlan,
    ),
    "motion": Effect(probability=0.2, draw=_motion, typical=MotionPlan),
    "slices": Effect(probability=0.8, draw=_slices, typical=SlicesPlan, only="2D"),
    "slabs": Effect(probability=0.1, draw=_slabs, typical=SlabsPlan, only="3D"),
    "subvoxels": Effect(probability=1.0, draw=lambda rng, _: SubvoxelsPlan(), typical=SubvoxelsPlan),
}
"""The effects, by their field of :class:`~recon.lab.simulation.draw.effect_plans.EffectsPlan`."""
ALL_EFFECTS = tuple(EFFECTS)
