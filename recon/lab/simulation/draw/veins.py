"""Draw the venous system: the great sinuses, the deep veins, and many small ones."""

from __future__ import annotations

import numpy as np

from recon.lab.simulation.draw.plan import VeinPlan

_STEP_MM = 0.5


def draw_veins(rng: np.random.Generator) -> tuple[VeinPlan, ...]:
    """Draw all veins of a head, in template space."""
    chi = float(np.clip(rng.normal(0.28, 0.07), 0.12, 0.45))
    veins = [VeinPlan(points_mm=_jitter(rng, p), radius_mm=r, chi_ppm=chi) for p, r in _named(rng)]
    for _ in range(int(rng.integers(80, 220))):
        radius = float(np.exp(rng.uniform(np.log(0.25), np.log(1.3))))
        points = _walk(rng, float(rng.uniform(10, 60)))
        veins.append(VeinPlan(points_mm=points, radius_mm=radius, chi_ppm=chi * float(rng.uniform(0.6, 1.1))))
    return tuple(veins)


def _named(rng: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """Centre lines and radii of the veins that everybody has."""
    angle = np.linspace(np.radians(25), np.radians(205), 120)
    sagittal = np.stack([0 * angle, -18 + 93 * np.cos(angle), 6 + 76 * np.sin(angle)], axis=1)
    lines = [
        (sagittal, float(rng.uniform(2.2, 3.5))),
        (np.array([[0, -42, 6], [0, -60, 2], [0, -90, -8]], float), float(rng.uniform(1.5, 2.5))),
        (np.array([[0, -36, 8], [0, -42, 6]], float), 2.0),
    ]
    for side in (1.0, -1.0):
        transverse = np.array([[0, -102, -8], [25, -97, -12], [48, -78, -20], [56, -55, -28]], float)
        internal = np.array([[2, 4, 12], [2.5, -15, 14], [1.5, -36, 8]], float)
        basal = np.array([[12, -2, -16], [17, -20, -8], [8, -38, 2]], float)
        thalamostriate = np.array([[2, 4, 12], [10, 2, 16], [18, -12, 20], [22, -26, 18]], float)
        for line, radius in ((transverse, 3.0), (internal, 0.9), (basal, 0.8), (thalamostriate, 0.7)):
            mirrored = line * np.array([side, 1.0, 1.0])
            lines.append((mirrored, radius * float(rng.uniform(0.75, 1.25))))
    return [(_resample(line), radius) for line, radius in lines]


def _resample(line_mm: np.ndarray) -> np.ndarray:
    """Points every half millimetre along a chain of straight pieces."""
    lengths = np.linalg.norm(np.diff(line_mm, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    wanted = np.arange(0.0, along[-1], _STEP_MM)
    return np.stack([np.interp(wanted, along, line_mm[:, i]) for i in range(3)], axis=1).astype(np.float32)


def _jitter(rng: np.random.Generator, points_mm: np.ndarray) -> np.ndarray:
    """Bend a vein smoothly by a few mm."""
    controls = max(3, len(points_mm) // 30)
    knots = np.linspace(0, len(points_mm) - 1, controls)
    bend = rng.normal(0, 1.2, (controls, 3))
    index = np.arange(len(points_mm))
    shift = np.stack([np.interp(index, knots, bend[:, i]) for i in range(3)], axis=1)
    return np.asarray(points_mm + shift, dtype=np.float32)


def _walk(rng: np.random.Generator, length_mm: float) -> np.ndarray:
    """Return a gently turning random path that starts somewhere in the brain."""
    steps = max(4, int(length_mm / _STEP_MM))
    direction = rng.standard_normal(3)
    turns = rng.normal(0, 0.12, (steps, 3))
    start = rng.uniform((-60, -95, -40), (60, 60, 70))
    points = np.empty((steps, 3), dtype=np.float32)
    for i in range(steps):
        direction = direction + turns[i]
        direction /= np.linalg.norm(direction)
        start = start + direction * _STEP_MM
        points[i] = start
    return points
