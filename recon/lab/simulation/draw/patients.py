"""The patients of the bleeding study: susceptibility-weighted scans as hospitals make them, every one with a bleed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from recon.lab.simulation.draw.head import draw_head
from recon.lab.simulation.draw.lesions import draw_calcification, draw_haemorrhage, draw_microbleed
from recon.lab.simulation.draw.plan import AXIAL, LesionPlan, ScanPlan, SubjectPlan
from recon.lab.simulation.draw.seeds import Purpose, generator

FIRST_SEED = {Purpose.EVALUATION: 3000, Purpose.TUNING: 1000}
"""Number of patient 0 among the subjects of a purpose. Evaluation subjects 1000 to 1099 were used while the handling of
voids was developed, so they are no longer held out and judge nothing."""


def draw_patient(number: int, purpose: Purpose = Purpose.EVALUATION) -> SubjectPlan:
    """Draw one patient: one to three bleeds, microbleeds, calcifications; single-echo SWI in most, else multi-echo.

    Constants are tuned on the patients of ``Purpose.TUNING``, and only on them.
    """
    rng = generator(purpose, FIRST_SEED[purpose] + number)
    lesions: list[LesionPlan] = [draw_haemorrhage(rng) for _ in range(int(rng.integers(1, 4)))]
    lesions += [draw_microbleed(rng) for _ in range(int(rng.integers(0, 9)))]
    lesions += [draw_calcification(rng) for _ in range(int(rng.integers(0, 3)))]
    lesions[0] = _inside(lesions[0])
    return SubjectPlan(head=draw_head(rng, lesions=tuple(lesions)), scan=_draw_scan(rng))


def _inside(bleed: LesionPlan) -> LesionPlan:
    """Keep the first bleed within a slab and large enough to be judged."""
    x, y, z = bleed.shape.centre_mm
    a, b, c = (max(4.0, r) for r in bleed.shape.radius_mm)
    place = (0.85 * x, -18.0 + 0.85 * (y + 18.0), float(np.clip(z, -15.0, 35.0)))
    return replace(bleed, shape=replace(bleed.shape, centre_mm=place, radius_mm=(a, b, c)))


def _draw_scan(rng: np.random.Generator) -> ScanPlan:
    """Draw an axial to oblique slab of 2 to 3 mm slices at 1.5 or 3 T."""
    in_plane, slice_mm = float(rng.uniform(1.0, 1.3)), float(rng.uniform(2.0, 3.0))
    b0 = float(rng.choice([1.5, 3.0], p=[0.4, 0.6]))
    extent = (165.0, 200.0, float(rng.uniform(110.0, 145.0)))
    x, y = (int(round(e / in_plane / 8)) * 8 for e in extent[:2])
    tilt = Rotation.from_euler("xyz", rng.normal(0.0, (10.0, 4.0, 4.0)), degrees=True).as_matrix()
    single = rng.random() < 0.7
    times = (0.020 * 3.0 / b0,) if single else tuple(0.006 + 0.006 * i for i in range(5))
    return ScanPlan(
        shape=(x, y, int(round(extent[2] / slice_mm / 2)) * 2),
        voxel_size_mm=(in_plane, in_plane, slice_mm),
        rotation=tilt @ AXIAL,
        centre_mm=(0.0, -18.0, float(rng.uniform(5.0, 15.0))),
        b0_head=(0.0, 0.0, 1.0),
        b0_tesla=b0,
        echo_times_s=times,
        snr=float(np.exp(rng.uniform(np.log(20.0), np.log(80.0)))),
        shim_residual=float(rng.uniform(0.0, 0.3)),
        offset_rad=(float(rng.uniform(-3, 3)), *(float(v) for v in rng.uniform(-1.0, 1.0, 4))),
        coil_fall=float(rng.uniform(0.0, 0.5)),
        oversample=(1, 1, 2),
        noise_seed=int(rng.integers(2**31)),
    )
