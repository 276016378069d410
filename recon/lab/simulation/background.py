"""Fields of sources that no head model holds: dental metal, bodies outside the brain, and any harmonic at all.

A network that has seen only the backgrounds of one head model takes the first unknown one for susceptibility. All of it
is harmonic inside the brain, and is added before the shim.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from recon.lab.simulation.draw.plan import HeadPlan, ScanPlan, Vector
from recon.lab.simulation.lattice import Lattice, template_to_head
from recon.lab.simulation.template import Template, sample

_MOUTH_MM = (0.0, 42.0, -85.0)
_CLEARANCE_MM = 3.0
_HARMONIC_RADIUS_MM = 80.0
_WAVES_PER_DEGREE = 4
_DEGREES = range(1, 7)


@dataclass(frozen=True, kw_only=True)
class SourcePlan:
    """A magnetised ball outside the brain.

    Parameters
    ----------
    centre_mm
        Position in image axes, relative to the image centre.
    radius_mm
        Its radius.
    chi_ppm
        Its susceptibility relative to what surrounds it.
    """

    centre_mm: Vector
    radius_mm: float
    chi_ppm: float


@dataclass(frozen=True, kw_only=True)
class WavePlan:
    """A harmonic polynomial ``Re (w · (u + i v) / 80 mm)^n`` with ``u`` and ``v`` orthonormal.

    Rotations of these span every solid harmonic of degree ``n``.

    Parameters
    ----------
    u, v
        Orthonormal vectors in image axes.
    degree
        ``n``.
    amplitude_ppm, angle_rad
        Value at 80 mm and phase of ``w``.
    """

    u: Vector
    v: Vector
    degree: int
    amplitude_ppm: float
    angle_rad: float


@dataclass(frozen=True, kw_only=True)
class BackgroundPlan:
    """What disturbs the field beyond the head itself."""

    sources: tuple[SourcePlan, ...] = ()
    waves: tuple[WavePlan, ...] = ()


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
        distance = float(sample(template.distance_mm.cpu(), template.distance_origin_mm, 2.0, point)[0, 0])
        if distance > radius + _CLEARANCE_MM:
            found.append(SourcePlan(centre_mm=_image_mm(head, scan, place), radius_mm=radius, chi_ppm=chi))
    return found


def _image_mm(head: HeadPlan, scan: ScanPlan, template_mm: np.ndarray) -> Vector:
    """Return where a template position lies in image axes, relative to the image centre."""
    x, y, z = (template_to_head(head, template_mm[None])[0] - np.asarray(scan.centre_mm)) @ scan.rotation.T
    return (float(x), float(y), float(z))


def _waves(rng: np.random.Generator) -> tuple[WavePlan, ...]:
    """Return random harmonics whose power falls with the degree, as that of sinuses and neck does."""
    strength = float(np.exp(rng.uniform(np.log(0.05), np.log(0.6))))
    drawn = []
    for degree in _DEGREES:
        for _ in range(_WAVES_PER_DEGREE):
            frame = np.linalg.qr(rng.standard_normal((3, 3)))[0]
            drawn.append(
                WavePlan(
                    u=(float(frame[0, 0]), float(frame[1, 0]), float(frame[2, 0])),
                    v=(float(frame[0, 1]), float(frame[1, 1]), float(frame[2, 1])),
                    degree=degree,
                    amplitude_ppm=float(rng.normal(0, strength / degree)),
                    angle_rad=float(rng.uniform(0, 2 * np.pi)),
                )
            )
    return tuple(drawn)


def background_field(plan: BackgroundPlan, lattice: Lattice) -> torch.Tensor:
    """Return the field of a plan on a lattice, ``(x, y, z)`` float32 in ppm; inside a ball its surface's value."""
    axes = [
        torch.tensor(lattice.axis_mm(axis), dtype=torch.float32, device=lattice.device).reshape(
            [-1 if i == axis else 1 for i in range(3)]
        )
        for axis in range(3)
    ]
    field = torch.zeros(lattice.shape, device=lattice.device)
    for source in plan.sources:
        field += _ball_field(source, axes, lattice.scan.b0_direction)
    for wave in plan.waves:
        field += _wave_field(wave, axes)
    return field


def _ball_field(source: SourcePlan, axes: list[torch.Tensor], b0_direction: Vector) -> torch.Tensor:
    """Return ``χ/3 (a/r)³ (3 cos² - 1)`` outside the ball, and the value at its surface inside."""
    offsets = [axis - c for axis, c in zip(axes, source.centre_mm, strict=True)]
    squared = (offsets[0] ** 2 + offsets[1] ** 2 + offsets[2] ** 2).clamp(min=source.radius_mm**2)
    along = offsets[0] * b0_direction[0] + offsets[1] * b0_direction[1] + offsets[2] * b0_direction[2]
    cosine_squared = along**2 / squared
    return source.chi_ppm / 3.0 * (source.radius_mm**2 / squared) ** 1.5 * (3.0 * cosine_squared - 1.0)


def _wave_field(wave: WavePlan, axes: list[torch.Tensor]) -> torch.Tensor:
    """Return one harmonic polynomial."""
    real = sum((axis * c for axis, c in zip(axes, wave.u, strict=True)), torch.zeros(())) / _HARMONIC_RADIUS_MM
    imaginary = sum((axis * c for axis, c in zip(axes, wave.v, strict=True)), torch.zeros(())) / _HARMONIC_RADIUS_MM
    power = torch.complex(real, imaginary) ** wave.degree
    turned = power * complex(np.cos(wave.angle_rad), np.sin(wave.angle_rad))
    return wave.amplitude_ppm * turned.real
