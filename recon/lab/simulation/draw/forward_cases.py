"""Named evaluation scans whose physics is not ours: qsm-forward makes them, see :mod:`recon.lab.simulation.forward`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from recon.lab.simulation.draw.effect_plans import CompartmentsPlan, EffectsPlan
from recon.lab.simulation.draw.effects import EFFECTS, Setting
from recon.lab.simulation.draw.head import draw_head
from recon.lab.simulation.draw.lesions import draw_calcification, draw_haemorrhage, draw_microbleed
from recon.lab.simulation.draw.plan import AXIAL, HeadPlan, LesionPlan, ScanPlan, SubjectPlan

FIRST_SEED = 5000
"""Number of subject 0 among the evaluation subjects; cases of our own physics and patients have the ones below."""
_LARGEST_SCALE = 0.93
"""Largest head relative to the template: larger brains come too near to the coarse sources beyond the image."""
_FIVE_ECHOES_S = (0.004, 0.010, 0.016, 0.022, 0.028)


def _scan(rng: np.random.Generator, *, b0_tesla: float = 3.0, bipolar_rad: float = 0.0) -> ScanPlan:
    """Draw the receive array, conductivity and noise of an axial whole-brain scan of 1 mm with five echoes."""
    setting = Setting(b0_tesla=b0_tesla, bipolar=bool(bipolar_rad), two_dimensional=False)
    drawn = {name: EFFECTS[name].draw(rng, setting) for name in ("coils", "conductivity")}
    return ScanPlan(
        shape=(160, 192, 152),
        voxel_size_mm=(1.0, 1.0, 1.0),
        rotation=AXIAL,
        centre_mm=(0.0, -18.0, 3.0),
        b0_head=(0.0, 0.0, 1.0),
        b0_tesla=b0_tesla,
        echo_times_s=_FIVE_ECHOES_S,
        snr=60.0,
        shim_residual=0.0,
        offset_rad=(0.0,) * 5,
        coil_fall=0.0,
        bipolar_rad=bipolar_rad,
        noise_seed=int(rng.integers(2**31)),
        effects=EffectsPlan(**drawn),  # type: ignore[arg-type]
    )


def _head(rng: np.random.Generator, *lesions: LesionPlan) -> HeadPlan:
    """Draw a head that leaves some mm between its brain and the faces of the image."""
    head = draw_head(rng, lesions=lesions)
    scale = float(np.linalg.det(head.affine)) ** (-1 / 3)
    return replace(head, affine=head.affine * max(1.0, scale / _LARGEST_SCALE))


def _healthy(rng: np.random.Generator) -> SubjectPlan:
    """Draw a healthy head at 3 T."""
    return SubjectPlan(head=_head(rng), scan=_scan(rng))


def _lesion(rng: np.random.Generator) -> SubjectPlan:
    """Draw a head with haemorrhages, microbleeds and calcifications at 3 T."""
    lesions = [draw_haemorrhage(rng) for _ in range(2)] + [draw_microbleed(rng) for _ in range(6)]
    lesions += [draw_calcification(rng) for _ in range(2)]
    return SubjectPlan(head=_head(rng, *lesions), scan=_scan(rng))


def _seven_tesla(rng: np.random.Generator) -> SubjectPlan:
    """Draw a 7 T scan with the echo times of the public QSM benchmark."""
    scan = replace(_scan(rng, b0_tesla=7.0), echo_times_s=(0.004, 0.012, 0.020, 0.028), snr=100.0)
    return SubjectPlan(head=_head(rng), scan=scan)


def _oblique(rng: np.random.Generator) -> SubjectPlan:
    """Draw a slab of 0.7 x 0.7 x 2 mm, 20 degrees oblique."""
    turn = Rotation.from_euler("xyz", (20.0, 6.0, 0.0), degrees=True).as_matrix()
    scan = replace(_scan(rng), rotation=turn @ AXIAL, centre_mm=(0.0, -18.0, 15.0))
    return SubjectPlan(head=_head(rng), scan=replace(scan, shape=(240, 272, 72), voxel_size_mm=(0.7, 0.7, 2.0)))


def _bipolar(rng: np.random.Generator) -> SubjectPlan:
    """Draw a 1.5 T scan with three bipolar echoes."""
    scan = replace(_scan(rng, b0_tesla=1.5, bipolar_rad=1.2), echo_times_s=(0.010, 0.020, 0.030), snr=50.0)
    return SubjectPlan(head=_head(rng), scan=scan)


def _single(rng: np.random.Generator) -> SubjectPlan:
    """Draw a single echo of 20 ms at 3 T."""
    return SubjectPlan(head=_head(rng), scan=replace(_scan(rng), echo_times_s=(0.020,)))


def _noisy(rng: np.random.Generator) -> SubjectPlan:
    """Draw a single echo of 20 ms at 3 T with an SNR of 13."""
    return SubjectPlan(head=_head(rng), scan=replace(_scan(rng), echo_times_s=(0.020,), snr=13.0))


def _white(rng: np.random.Generator) -> SubjectPlan:
    """Draw a healthy head at 3 T whose white matter is hollow cylinders, with qsm-forward's own parameters."""
    scan = _scan(rng)
    effects = replace(scan.effects, compartments=CompartmentsPlan(), fibre_seed=int(rng.integers(2**31)))
    return SubjectPlan(head=_head(rng), scan=replace(scan, effects=effects))


FORWARD_CASES: dict[str, Callable[[np.random.Generator], SubjectPlan]] = {
    "healthy-forward": _healthy,
    "lesion-forward": _lesion,
    "7t-forward": _seven_tesla,
    "oblique-forward": _oblique,
    "bipolar-forward": _bipolar,
    "single-forward": _single,
    "noisy-forward": _noisy,
    "white-forward": _white,
}
