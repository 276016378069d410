"""Named evaluation scans: what `qsm-plugin simulate` offers and what evaluation judges on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from recon.errors import InvalidInputError
from recon.lab.simulation.draw.effect_plans import EffectsPlan
from recon.lab.simulation.draw.effects import draw_effects
from recon.lab.simulation.draw.forward_cases import FIRST_SEED, FORWARD_CASES
from recon.lab.simulation.draw.head import draw_head
from recon.lab.simulation.draw.lesions import draw_calcification, draw_haemorrhage, draw_microbleed
from recon.lab.simulation.draw.plan import AXIAL, LesionPlan, ScanPlan, SubjectPlan, vector


def whole_brain(*, offset_rad: tuple[float, ...], noise_seed: int) -> ScanPlan:
    """Return an axial whole-brain 3 T scan of 1 mm with four monopolar echoes."""
    return ScanPlan(
        shape=(160, 192, 160),
        voxel_size_mm=(1.0, 1.0, 1.0),
        rotation=AXIAL,
        centre_mm=(0.0, -18.0, 3.0),
        b0_head=(0.0, 0.0, 1.0),
        b0_tesla=3.0,
        echo_times_s=(0.006, 0.012, 0.018, 0.024),
        snr=80.0,
        shim_residual=0.15,
        offset_rad=offset_rad,
        noise_seed=noise_seed,
    )


def _scan(rng: np.random.Generator) -> ScanPlan:
    """Draw receive phase and noise of a whole-brain scan."""
    offset_rad = (float(rng.uniform(-3, 3)), *(float(v) for v in rng.uniform(-1.5, 1.5, 4)))
    return whole_brain(offset_rad=offset_rad, noise_seed=int(rng.integers(2**31)))


def _healthy(rng: np.random.Generator) -> SubjectPlan:
    """Draw a healthy head, axial, 1 mm."""
    return SubjectPlan(head=draw_head(rng), scan=_scan(rng))


def _lesion(rng: np.random.Generator) -> SubjectPlan:
    """Draw a head with haemorrhage, microbleeds and calcification."""
    lesions: list[LesionPlan] = [draw_haemorrhage(rng) for _ in range(2)]
    lesions += [draw_microbleed(rng) for _ in range(6)]
    lesions += [draw_calcification(rng) for _ in range(2)]
    return SubjectPlan(head=draw_head(rng, lesions=tuple(lesions)), scan=_scan(rng))


def _tilted(rng: np.random.Generator, angle_deg: float) -> ScanPlan:
    """Tilt the slab about the left-right axis, with a little double obliquity."""
    turn = Rotation.from_euler("xyz", (angle_deg, 0.3 * angle_deg, 0.0), degrees=True).as_matrix()
    return replace(_scan(rng), rotation=turn @ AXIAL)


def _oblique(rng: np.random.Generator) -> SubjectPlan:
    """Draw a healthy head in an oblique slab of 0.7 x 0.7 x 2 mm."""
    scan = replace(_tilted(rng, 20.0), shape=(240, 272, 70), voxel_size_mm=(0.7, 0.7, 2.0), oversample=(1, 1, 2))
    return SubjectPlan(head=draw_head(rng), scan=scan)


def _steep(rng: np.random.Generator) -> SubjectPlan:
    """Draw a head with bleeds in a steep double-oblique volume of 1 mm, 45 degrees."""
    lesions = (draw_haemorrhage(rng), draw_microbleed(rng), draw_microbleed(rng))
    scan = replace(_tilted(rng, 45.0), shape=(176, 192, 176))
    return SubjectPlan(head=draw_head(rng, lesions=lesions), scan=scan)


def _swi(rng: np.random.Generator) -> SubjectPlan:
    """Draw a single-echo SWI scan, 0.9 x 0.9 x 1.8 mm, TE 20 ms, low SNR."""
    scan = replace(
        _scan(rng),
        shape=(176, 216, 80),
        voxel_size_mm=(0.9, 0.9, 1.8),
        oversample=(1, 1, 2),
        echo_times_s=(0.020,),
        snr=30.0,
    )
    return SubjectPlan(head=draw_head(rng), scan=scan)


def _seven_tesla(rng: np.random.Generator) -> SubjectPlan:
    """Draw a 7 T scan with the echo times of the public QSM benchmark."""
    scan = replace(_scan(rng), b0_tesla=7.0, echo_times_s=(0.004, 0.012, 0.020, 0.028), snr=100.0, coil_fall=-0.5)
    return SubjectPlan(head=draw_head(rng), scan=scan)


def _bipolar(rng: np.random.Generator) -> SubjectPlan:
    """Draw a 1.5 T scan with bipolar readout."""
    scan = replace(
        _scan(rng), b0_tesla=1.5, echo_times_s=(0.008, 0.016, 0.024, 0.032, 0.040), bipolar_rad=1.2, snr=50.0
    )
    return SubjectPlan(head=draw_head(rng), scan=scan)


CASES: dict[str, Callable[[np.random.Generator], SubjectPlan]] = {
    "healthy": _healthy,
    "lesion": _lesion,
    "oblique": _oblique,
    "steep": _steep,
    "swi": _swi,
    "7t": _seven_tesla,
    "bipolar": _bipolar,
}


_HARD = "-hard"
HARD_CASES = tuple(name + _HARD for name in CASES)
"""The same heads and scans, with the effects of :mod:`recon.lab.simulation.draw.effects`."""
ALL_CASES = (*CASES, *HARD_CASES, *FORWARD_CASES)


def subject_number(case: str, seed: int) -> int:
    """Return which subject an evaluation takes for a case, so that only a case and its hard variant share a head.

    Raises
    ------
    InvalidInputError
        If there is no such case.
    """
    _check(case)
    if case in FORWARD_CASES:
        return FIRST_SEED + len(FORWARD_CASES) * seed + list(FORWARD_CASES).index(case)
    return len(CASES) * seed + list(CASES).index(case.removesuffix(_HARD))


def draw_case(name: str, rng: np.random.Generator, *, voxel_size_mm: float | None = None) -> SubjectPlan:
    """Draw the subject of a named case.

    Parameters
    ----------
    name
        One of :data:`ALL_CASES`.
    rng
        Source of randomness.
    voxel_size_mm
        Scale the case's voxels so that the smallest edge has this length; the field of view stays.

    Raises
    ------
    InvalidInputError
        If there is no such case.
    """
    _check(name)
    own = rng.spawn(1)[0]
    subject = {**CASES, **FORWARD_CASES}[name.removesuffix(_HARD)](rng)
    if name in HARD_CASES:
        subject = replace(subject, scan=hardened(subject.scan, own))
    if voxel_size_mm is None:
        return subject
    return replace(subject, scan=rescaled(subject.scan, voxel_size_mm))


def hardened(scan: ScanPlan, rng: np.random.Generator, *, two_dimensional: bool = False) -> ScanPlan:
    """Return a scan with drawn effects."""
    effects = draw_effects(
        rng,
        b0_tesla=scan.b0_tesla,
        echo_times_s=scan.echo_times_s,
        bipolar=bool(scan.bipolar_rad),
        two_dimensional=two_dimensional,
    )
    return with_effects(scan, effects)


def with_effects(scan: ScanPlan, effects: EffectsPlan) -> ScanPlan:
    """Return a scan with these effects; a receive array replaces the polynomial receive phase and profile."""
    if effects.coils:
        scan = replace(scan, offset_rad=(0.0,) * 5, coil_fall=0.0)
    return replace(scan, effects=effects)


def _check(case: str) -> None:
    if case not in ALL_CASES:
        raise InvalidInputError(f"no case {case!r}: expected one of {', '.join(ALL_CASES)}")


def rescaled(scan: ScanPlan, smallest_mm: float) -> ScanPlan:
    """Scale the voxels so that the smallest edge has this length; the field of view stays, subvoxels stay near 1 mm."""
    factor = smallest_mm / min(scan.voxel_size_mm)
    sizes = vector(s * factor for s in scan.voxel_size_mm)
    x, y, z = (max(8, round(n / factor / 4) * 4) for n in scan.shape)
    a, b, c = (max(1, round(s / 1.3)) for s in sizes)
    return replace(scan, shape=(x, y, z), voxel_size_mm=sizes, oversample=(a, b, c))
