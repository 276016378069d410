"""The scans that the verdict is studied on: ordinary ones, as a department sees them, from several scanners.

A head lies in the magnet once and is scanned four times, with other echoes, fields and effects: its field, which takes
most of the time, is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from recon.lab.simulation.draw.cases import with_effects
from recon.lab.simulation.draw.effect_plans import CoilsPlan, EffectsPlan, SubvoxelsPlan
from recon.lab.simulation.draw.effects import draw_effects
from recon.lab.simulation.draw.head import draw_head
from recon.lab.simulation.draw.lesions import draw_lesions
from recon.lab.simulation.draw.plan import AXIAL, HeadPlan, ScanPlan, vector
from recon.lab.simulation.draw.seeds import Purpose, generator

SCANS_PER_HEAD = 4
FIRST_SEED = 50_000
"""Number of head 0 among the subjects of a purpose: beyond those of every other study."""
_PATIENTS = 0.4
_OBLIQUE = 0.3
_SINGLE_ECHO = 0.35
_BIPOLAR = 0.15
_LEAST_ACQUIRED, _LEAST_PARTIAL = 0.95, 0.875
_ALIGNED = 0.25
"""Misalignment of the receive loops over that of the hard simulator: a standard deviation of 0 to 0.2 rad, not 0.8."""
_MOST_BREATH_HZ = 2.0
"""Breathing of a healthy volunteer moves the field by 1 to 2 Hz at 3 T; more is a fault."""


@dataclass(frozen=True, kw_only=True)
class StudyHead:
    """A head and its scans, which share grid, place and direction of B0."""

    head: HeadPlan
    scans: tuple[ScanPlan, ...]


def draw_study_head(number: int, purpose: Purpose) -> StudyHead:
    """Draw a head, in two of five with lesions, and its ordinary scans: nothing is wrong with them."""
    rng = generator(purpose, FIRST_SEED + number)
    head = draw_head(rng, lesions=draw_lesions(rng) if rng.random() < _PATIENTS else ())
    place = _place(rng)
    return StudyHead(head=head, scans=tuple(_scan(rng, place) for _ in range(SCANS_PER_HEAD)))


def _place(rng: np.random.Generator) -> ScanPlan:
    """Draw where the voxels of 2 mm, or 2 x 2 x 3 mm, are; times and strength are drawn for each scan."""
    spread_deg = 25.0 if rng.random() < _OBLIQUE else 6.0
    tilt = Rotation.from_euler("xyz", rng.normal(0.0, (spread_deg, 4.0, 4.0)), degrees=True).as_matrix()
    slice_mm = float(rng.choice([2.0, 2.5, 3.0], p=[0.5, 0.25, 0.25]))
    extent_mm = float(rng.uniform(110.0, 160.0))
    return ScanPlan(
        shape=(84, 100, 4 * round(extent_mm / slice_mm / 4)),
        voxel_size_mm=(2.0, 2.0, slice_mm),
        rotation=tilt @ AXIAL,
        centre_mm=(0.0, -18.0, float(rng.uniform(2.0, 10.0))),
        b0_head=(0.0, 0.0, 1.0),
        b0_tesla=3.0,
        echo_times_s=(0.02,),
        snr=60.0,
        shim_residual=0.1,
        offset_rad=(0.0,) * 5,
        oversample=(2, 2, 2),
    )


def _scan(rng: np.random.Generator, place: ScanPlan) -> ScanPlan:
    """Draw one acquisition."""
    b0 = float(rng.choice([1.5, 3.0, 7.0], p=[0.2, 0.6, 0.2]))
    times_s = _echo_times_s(rng, b0)
    bipolar = len(times_s) >= 4 and rng.random() < _BIPOLAR
    scan = replace(
        place,
        b0_tesla=b0,
        echo_times_s=times_s,
        snr=float(np.exp(rng.uniform(np.log(30.0), np.log(120.0)))),
        shim_residual=float(rng.uniform(0.0, 0.3)),
        offset_rad=(float(rng.uniform(-3, 3)), *(float(v) for v in rng.uniform(-1.0, 1.0, 4))),
        coil_fall=float(rng.uniform(0.0, 0.5)),
        bipolar_rad=float(rng.uniform(0.4, 2.0)) if bipolar else 0.0,
        noise_seed=int(rng.integers(2**31)),
    )
    return with_effects(scan, _ordinary(draw_effects(rng, b0_tesla=b0, echo_times_s=times_s, bipolar=bipolar)))


def _ordinary(effects: EffectsPlan) -> EffectsPlan:
    """Leave out what is a fault of its own: motion, slabs, a loop of the wrong sign, more breath than usual.

    Little of the matrix is filled with zeros: in voxels of 2 mm the resolution that is lost would be most of the error.
    """
    coils = _well_combined(effects.coils) if effects.coils else None
    breath = effects.respiration
    if breath is not None and breath.hz_at_3t > _MOST_BREATH_HZ:
        breath = replace(breath, hz_at_3t=breath.hz_at_3t / 2.5)
    kspace = effects.kspace
    if kspace is not None:
        acquired = vector(max(share, _LEAST_ACQUIRED) for share in kspace.acquired)
        partial = vector(max(share, _LEAST_PARTIAL) for share in kspace.partial)
        kspace = replace(kspace, acquired=acquired, partial=partial)
    return replace(
        effects,
        coils=coils,
        kspace=kspace,
        respiration=breath,
        motion=None,
        slabs=None,
        subvoxels=SubvoxelsPlan(parts=2),
    )


def _well_combined(coils: CoilsPlan) -> CoilsPlan:
    """Return an array whose loops have no wrong sign, and are aligned as well as the noise of a prescan allows.

    Combined to the phase of a single loop, an image has open-ended fringe lines where that loop sees nothing: a fault.
    """
    loops = (replace(loop, misalignment_rad=_ALIGNED * loop.misalignment_rad) for loop in coils.loops)
    combination = "body_coil" if coils.combination == "adaptive" else coils.combination
    return replace(coils, loops=tuple(loops), flipped=None, combination=combination)


def _echo_times_s(rng: np.random.Generator, b0_tesla: float) -> tuple[float, ...]:
    """Draw one echo at the usual contrast, or three to six; shorter the stronger the field."""
    scale = {1.5: 1.5, 3.0: 1.0, 7.0: 0.6}[b0_tesla]
    if rng.random() < _SINGLE_ECHO:
        return (float(rng.uniform(0.018, 0.026) * scale),)
    first, step = float(rng.uniform(0.003, 0.007)), float(rng.uniform(0.004, 0.008)) * scale
    return tuple(first + i * step for i in range(int(rng.integers(3, 7))))
