"""Draw sources that no head model holds: dental metal, bodies outside the brain, and any harmonic field at all.

A network that has seen only the backgrounds of one head model takes the first unknown one for susceptibility.
"""

from __future__ import annotations

import numpy as np
import torch

from recon.lab.simulation.draw.plan import BackgroundPlan, HeadPlan, ScanPlan, SourcePlan, Vector, WavePlan, vector
from recon.lab.simulation.lattice import template_to_head
from recon.lab.simulation.template import Template, sample

_MOUTH_MM = (0.0, 42.0, -85.0)
_CLEARANCE_MM = 3.0
_WAVES_PER_DEGREE = 4
_DEGREES = range(1, 7)


def draw_background(rng: np.random.Generator, head: HeadPlan, scan: ScanPlan, template: Template) -> BackgroundPlan:
    """Draw metal in 15 %, bodies around the brain in 30 % and pure harmonics in 20 % of the scans."""
    sources: list[SourcePlan] = []
    if rng.random() < 0.15:
        sources += [_metal(rng, head, scan) for _ in range(int(rng.integers(1, 4)))]
    if rng.random() < 0.3:
        sources += _bodies(rng, head, scan, template, int(rng.integers(1, 9)))
    waves = _waves(rng) if rng.random() < 0.2 else ()
    return BackgroundPlan(sources=tuple(sources), waves=waves)


def _metal(rng: np.random.Generator, head: HeadPlan, scan: ScanPlan) -> SourcePlan:
    """Return a filling or bracket: 5 to 50 ppm of either sign in the mouth."""
    place = np.asarray(_MOUTH_MM) + rng.normal(0, 10, 3)
    return SourcePlan(
        centre_mm=_image_mm(head, scan, place),
        radius_mm=float(rng.uniform(2, 5)),
        chi_ppm=float(rng.choice((-1, 1)) * rng.uniform(5, 50)),
    )


def _bodies(
    rng: np.random.Generator, head: HeadPlan, scan: ScanPlan, template: Template, count: int
) -> list[SourcePlan]:
    """Return balls of -2 to 8 ppm that keep clear of the brain."""
    found = []
    for _ in range(count):
        radius = float(rng.uniform(3, 20))
        place = rng.uniform((-105, -125, -110), (105, 95, 105))
        chi = float(rng.uniform(-2, 8))
        point = torch.tensor(place, dtype=torch.float32)[None]
        distance = float(sample(template.distance_mm, template.distance_origin_mm, 2.0, point)[0, 0])
        if distance > radius + _CLEARANCE_MM:
            found.append(SourcePlan(centre_mm=_image_mm(head, scan, place), radius_mm=radius, chi_ppm=chi))
    return found


def _image_mm(head: HeadPlan, scan: ScanPlan, template_mm: np.ndarray) -> Vector:
    """Return where a template position lies in image axes, relative to the image centre."""
    return vector((template_to_head(head, template_mm[None])[0] - np.asarray(scan.centre_mm)) @ scan.rotation.T)


def _waves(rng: np.random.Generator) -> tuple[WavePlan, ...]:
    """Return random harmonics whose power falls with the degree, as that of sinuses and neck does."""
    strength = float(np.exp(rng.uniform(np.log(0.05), np.log(0.6))))
    drawn = []
    for degree in _DEGREES:
        for _ in range(_WAVES_PER_DEGREE):
            frame = np.linalg.qr(rng.standard_normal((3, 3)))[0]
            drawn.append(
                WavePlan(
                    u=vector(frame[:, 0]),
                    v=vector(frame[:, 1]),
                    degree=degree,
                    amplitude_ppm=float(rng.normal(0, strength / degree)),
                    angle_rad=float(rng.uniform(0, 2 * np.pi)),
                )
            )
    return tuple(drawn)
