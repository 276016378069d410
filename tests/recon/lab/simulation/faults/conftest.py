import numpy as np
import pytest

from recon.types import GradientEcho, Grid

SHAPE = (22, 18, 14)


@pytest.fixture
def echoes():
    """Four noisy echoes of a ball with a smooth field: non-cubic, anisotropic, oblique."""
    direction = np.array([0.1, -0.2, 0.97])
    grid = Grid(
        shape=SHAPE,
        voxel_size_mm=(2.0, 2.5, 3.0),
        b0_direction=tuple(float(c) for c in direction / np.linalg.norm(direction)),
    )
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    times_s = (0.005, 0.010, 0.015, 0.020)
    signal = np.stack(
        [(x**2 + y**2 + z**2 < 0.7) * np.exp(1j * (150 * t * (x + 0.4 * y * z) + 0.5) - 25 * t) for t in times_s]
    )
    noise = np.random.default_rng(0).normal(0, 0.01, (2, *signal.shape))
    signal = signal + noise[0] + 1j * noise[1]
    return GradientEcho(
        magnitude=(500 * np.abs(signal)).astype(np.float32),
        phase_rad=np.angle(signal).astype(np.float32),
        echo_times_s=times_s,
        b0_tesla=3.0,
        grid=grid,
    )


@pytest.fixture
def rng():
    return np.random.default_rng(5)
