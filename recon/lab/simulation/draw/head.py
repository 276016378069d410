"""Draw the anatomy of a head: the only place where a head's randomness is decided."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from recon.lab.simulation.draw.plan import EllipsoidPlan, HeadPlan, LesionPlan, NucleusPlan, ShapePlan, vector
from recon.lab.simulation.draw.veins import draw_veins
from recon.lab.simulation.tissue import CAVITIES, TISSUES
from recon.products.regions.nuclei import NUCLEI

_WARP_CONTROLS = 17
"""Control points per axis of the elastic warp: one every 16 mm over 256 mm."""


def draw_head(
    rng: np.random.Generator,
    *,
    lesions: tuple[LesionPlan, ...] = (),
    shapes: tuple[ShapePlan, ...] = (),
    anatomy: float = 1.0,
) -> HeadPlan:
    """Draw one head around given lesions and random shapes; ``anatomy`` weighs the anatomical susceptibility."""
    iron = float(rng.uniform(0.6, 1.5))
    return HeadPlan(
        affine=_draw_affine(rng),
        warp_mm=_draw_warp(rng),
        gap_mm=float(rng.uniform(1.5, 4.0)),
        skull_mm=float(rng.uniform(4.0, 8.0)),
        scalp_mm=float(rng.uniform(3.0, 7.0)),
        neck_radius_mm=float(rng.uniform(52, 66)),
        chi_ppm={name: float(rng.normal(t.chi_ppm, t.chi_sd_ppm)) for name, t in TISSUES.items()},
        r2star_per_s={name: float(t.r2star_per_s * rng.uniform(0.85, 1.15)) for name, t in TISSUES.items()},
        nuclei=tuple(n for sign in (1, -1) for n in _draw_nuclei(rng, sign, iron)),
        cavities=_draw_cavities(rng),
        veins=draw_veins(rng),
        lesions=lesions,
        shapes=shapes,
        texture_seed=int(rng.integers(2**31)),
        texture_scale=float(rng.uniform(0.4, 1.5)),
        anatomy=anatomy,
    )


def _draw_affine(rng: np.random.Generator) -> np.ndarray:
    """Scale and shear of the head, as the map from head to template."""
    scale = rng.uniform(0.84, 1.02) * rng.uniform(0.96, 1.04, 3)
    shear = rng.uniform(-0.04, 0.04, (3, 3))
    np.fill_diagonal(shear, 0.0)
    return np.asarray((np.eye(3) + shear) / scale[:, None])


def _draw_warp(rng: np.random.Generator) -> np.ndarray:
    """Smooth random displacement of a few mm."""
    amplitude_mm = rng.uniform(1.0, 4.0)
    noise = rng.standard_normal((3, _WARP_CONTROLS, _WARP_CONTROLS, _WARP_CONTROLS))
    smooth = np.stack([ndimage.gaussian_filter(n, 1.2, mode="nearest") for n in noise])
    return np.asarray(smooth / smooth.std() * amplitude_mm, dtype=np.float32)


def _draw_nuclei(rng: np.random.Generator, sign: int, iron: float) -> list[NucleusPlan]:
    """Deep grey nuclei of one side; ``iron`` scales the paramagnetic ones as age does."""
    drawn = []
    for nucleus in NUCLEI:
        tissue = TISSUES[nucleus.tissue]
        centre = np.asarray(nucleus.centre_mm) + rng.normal(0, 0.8, 3)
        radius = np.asarray(nucleus.radius_mm) * rng.uniform(0.85, 1.15, 3)
        shape = EllipsoidPlan(
            centre_mm=vector(np.array((sign, 1, 1)) * centre),
            radius_mm=vector(radius),
            yaw_deg=sign * (nucleus.yaw_deg + float(rng.normal(0, 5))),
            roughness=0.12,
        )
        chi = float(rng.normal(tissue.chi_ppm, tissue.chi_sd_ppm)) * iron
        drawn.append(NucleusPlan(tissue=nucleus.tissue, shape=shape, chi_ppm=chi))
    return drawn


def _draw_cavities(rng: np.random.Generator) -> tuple[EllipsoidPlan, ...]:
    """Air cavities, each side on its own; some are small or missing, as frontal sinuses are."""
    drawn = []
    for cavity in CAVITIES.values():
        for sign in (1, -1) if cavity.paired else (1,):
            size = float(rng.uniform(0.55, 1.15))
            if cavity.paired and rng.random() < 0.1:
                continue
            centre = vector(np.array((sign, 1, 1)) * cavity.centre_mm + rng.normal(0, 1.5, 3))
            radius = vector(r * size * rng.uniform(0.9, 1.1) for r in cavity.radius_mm)
            drawn.append(EllipsoidPlan(centre_mm=centre, radius_mm=radius, roughness=0.15))
    return tuple(drawn)


def draw_shapes(rng: np.random.Generator, count: int) -> tuple[ShapePlan, ...]:
    """Draw random ellipsoids, boxes and rods all over the brain."""
    drawn = []
    for _ in range(count):
        centre = rng.uniform((-65, -100, -50), (65, 70, 75))
        radius = np.exp(rng.uniform(np.log(1.0), np.log(22.0))) * rng.uniform(0.5, 1.5, 3)
        if rng.random() < 0.2:
            radius *= rng.permutation((0.35, 0.35, 2.5))
        chi = float(rng.choice((-1, 1)) * np.exp(rng.uniform(np.log(0.01), np.log(0.3))))
        shape = EllipsoidPlan(
            centre_mm=vector(centre),
            radius_mm=vector(radius),
            yaw_deg=float(rng.uniform(0, 180)),
            roughness=float(rng.uniform(0, 0.4)),
            power=float(rng.choice((2.0, 8.0), p=(0.7, 0.3))),
        )
        drawn.append(ShapePlan(shape=shape, chi_ppm=chi))
    return tuple(drawn)
