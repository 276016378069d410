"""A scan of a round head with a few nuclei, small enough to be reconstructed in a second."""

import math

import numpy as np
import torch

from recon.lab.simulation.head import GREY_MATTER_LABEL, LESION_LABEL, NUCLEUS_LABEL, VEIN_LABEL, WHITE_MATTER_LABEL
from recon.lab.simulation.scan import SimulatedScan
from recon.operators.dipole import dipole_field
from recon.types import GAMMA_HZ_PER_TESLA, GradientEcho
from tests.support.sphere import GRID, axes_mm

TIMES_S = (0.006, 0.012, 0.018)
_BALLS = (
    (NUCLEUS_LABEL["caudate"], 0.05, (-7, 4, 2)),
    (NUCLEUS_LABEL["pallidum"], 0.15, (6, 3, 0)),
    (NUCLEUS_LABEL["putamen"], 0.04, (0, -8, 3)),
    (VEIN_LABEL, 0.25, (2, 9, -3)),
    (LESION_LABEL["calcification"], -0.5, (-2, -2, -8)),
)


def small_scan():
    """Return noisy echoes of the head in air, with their truth."""
    x, y, z = axes_mm(GRID)
    head = (x / 17) ** 2 + (y / 18) ** 2 + (z / 18) ** 2
    brain = head < 0.8
    label = np.where(head < 0.4, WHITE_MATTER_LABEL, GREY_MATTER_LABEL).astype(np.uint8)
    chi = np.where(head < 0.4, -0.03, 0.02)
    for number, value, (a, b, c) in _BALLS:
        ball = (x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2 < 3.2**2
        chi[ball], label[ball] = value, number
    chi = np.where(brain, chi, 0).astype(np.float32)
    field_ppm = dipole_field(torch.from_numpy(chi), GRID).numpy() + (1e-3 * x + 2e-4 * x * y).astype(np.float32)
    turns = 2 * math.pi * GAMMA_HZ_PER_TESLA * 3e-6
    rng = np.random.default_rng(3)
    signal = np.stack([(head < 1) * np.exp(1j * (turns * t * field_ppm + 0.4) - 20 * t) for t in TIMES_S])
    noise = rng.normal(0, 0.01, (2, *signal.shape))
    signal = signal + noise[0] + 1j * noise[1]
    echoes = GradientEcho(
        magnitude=1000 * np.abs(signal).astype(np.float32),
        phase_rad=np.angle(signal).astype(np.float32),
        echo_times_s=TIMES_S,
        b0_tesla=3.0,
        grid=GRID,
    )
    label = np.where(brain, label, 0).astype(np.uint8)
    return SimulatedScan(echoes=echoes, chi_ppm=chi, field_ppm=field_ppm, brain=brain, label=label)
