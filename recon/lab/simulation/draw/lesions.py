"""Draw pathology: bleeds that may touch the brain's edge, microbleeds, calcifications."""

from __future__ import annotations

import numpy as np

from recon.lab.simulation.draw.plan import BRAIN_CENTRE_MM, BRAIN_RADIUS_MM, EllipsoidPlan, LesionPlan, Vector, vector


def draw_haemorrhage(rng: np.random.Generator) -> LesionPlan:
    """Draw a bleed of +0.2 to +2 ppm, one in a hundred up to +5."""
    chi = float(np.exp(rng.uniform(np.log(0.2), np.log(2.0))))
    if rng.random() < 0.01:
        chi = float(rng.uniform(2.0, 5.0))
    radius = float(np.exp(rng.uniform(np.log(2.5), np.log(16.0))))
    rim = chi * float(rng.uniform(1.0, 1.8)) if rng.random() < 0.5 else chi
    outline = _outline(rng, _place(rng), radius, 0.45)
    return LesionPlan(kind="haemorrhage", shape=outline, chi_ppm=chi, rim_chi_ppm=min(rim, 5.0))


def draw_microbleed(rng: np.random.Generator) -> LesionPlan:
    """Draw a microbleed of 0.5 to 3 mm radius."""
    chi = float(np.exp(rng.uniform(np.log(0.2), np.log(1.5))))
    outline = _outline(rng, _place(rng), float(rng.uniform(0.7, 3.0)), 0.1)
    return LesionPlan(kind="microbleed", shape=outline, chi_ppm=chi, rim_chi_ppm=chi)


def draw_calcification(rng: np.random.Generator) -> LesionPlan:
    """Draw a calcification of -0.2 to -3 ppm."""
    chi = -float(np.exp(rng.uniform(np.log(0.2), np.log(3.0))))
    outline = _outline(rng, _place(rng), float(np.exp(rng.uniform(np.log(0.8), np.log(6.0)))), 0.25)
    return LesionPlan(kind="calcification", shape=outline, chi_ppm=chi, rim_chi_ppm=chi)


def draw_lesions(rng: np.random.Generator) -> tuple[LesionPlan, ...]:
    """Draw a patient's lesions: several kinds at a time."""
    drawn = [draw_haemorrhage(rng) for _ in range(rng.integers(0, 4))]
    drawn += [draw_microbleed(rng) for _ in range(rng.integers(0, 10))]
    drawn += [draw_calcification(rng) for _ in range(rng.integers(0, 4))]
    return tuple(drawn)


def _place(rng: np.random.Generator) -> Vector:
    """Return a place in the brain in template mm; a third of them near its surface."""
    direction = rng.standard_normal(3)
    direction /= np.linalg.norm(direction)
    depth = rng.uniform(0.85, 1.0) if rng.random() < 0.35 else rng.uniform(0.0, 0.85)
    return vector(np.array(BRAIN_CENTRE_MM) + direction * np.array(BRAIN_RADIUS_MM) * depth)


def _outline(rng: np.random.Generator, centre_mm: Vector, radius_mm: float, roughness: float) -> EllipsoidPlan:
    """Return an irregular ellipsoid of the given mean radius."""
    return EllipsoidPlan(
        centre_mm=centre_mm,
        radius_mm=vector(radius_mm * rng.uniform(0.7, 1.3, 3)),
        yaw_deg=float(rng.uniform(0, 180)),
        roughness=roughness,
    )
