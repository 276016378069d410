"""Small anisotropic, oblique acquisitions with a known field; used by the tests of this folder."""

from __future__ import annotations

import numpy as np

from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho, Grid

SHAPE = (36, 44, 28)
OBLIQUE = Grid(shape=SHAPE, voxel_size_mm=(2.5, 2.0, 3.0), b0_direction=(0.28, -0.1, 0.9548))


def positions(grid=OBLIQUE):
    """Positions in units of half the longest side."""
    half = max(n * d for n, d in zip(grid.shape, grid.voxel_size_mm, strict=True)) / 2
    axes = [(np.arange(n) - (n - 1) / 2) * d / half for n, d in zip(grid.shape, grid.voxel_size_mm, strict=True)]
    return np.meshgrid(*axes, indexing="ij")


def ball(grid=OBLIQUE, radius=0.62):
    x, y, z = positions(grid)
    return x**2 + y**2 + (1.2 * z) ** 2 < radius**2


def smooth_field_ppm(grid=OBLIQUE, strength=1.0):
    """A field with several turns at long echo times and a steep spot, as beside a sinus."""
    x, y, z = positions(grid)
    spot = np.exp(-((x - 0.2) ** 2 + (y + 0.3) ** 2 + (z - 0.1) ** 2) / 0.05)
    return strength * (0.3 * x - 0.5 * y * z + 0.4 * x * x + 0.8 * spot)


def acquire(
    *,
    grid=OBLIQUE,
    field_ppm=None,
    echo_times_s=(0.004, 0.010, 0.016),
    b0_tesla=3.0,
    noise=0.02,
    offset_rad=None,
    even_rad=0.0,
    seed=0,
):
    """Echoes of a ball with a smooth offset; ``even_rad`` is added to echoes 2, 4, ..."""
    x, y, _ = positions(grid)
    rng = np.random.default_rng(seed)
    field = smooth_field_ppm(grid) if field_ppm is None else field_ppm
    offset = 0.9 + 1.2 * x - 0.8 * y * y if offset_rad is None else offset_rad
    inside = ball(grid)
    signals = []
    for number, time in enumerate(echo_times_s):
        angle = 2e-6 * np.pi * GAMMA_HZ_PER_TESLA * b0_tesla * time * field
        angle = angle + offset + (even_rad if number % 2 else 0.0)
        amplitude = np.where(inside, np.exp(-25 * time) * (1 + 0.2 * x), 0.0)
        signals.append(
            amplitude * np.exp(1j * angle)
            + noise * (rng.standard_normal(grid.shape) + 1j * rng.standard_normal(grid.shape))
        )
    stack = np.stack(signals)
    return GradientEcho(
        magnitude=np.abs(stack).astype(np.float32),
        phase_rad=np.angle(stack).astype(np.float32),
        echo_times_s=tuple(echo_times_s),
        b0_tesla=b0_tesla,
        grid=grid,
    )
