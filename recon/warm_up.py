"""The first reconstruction of a process, on a small phantom: it takes the time that no patient is to wait for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from recon.engines import deepbet
from recon.engines.choose import EngineAttempt, choose_engine
from recon.options import Options
from recon.pipeline import reconstruct
from recon.types import GradientEcho, Grid


def warm_up(options: Options) -> tuple[EngineAttempt, ...]:
    """Load the networks and compile what is compiled at first use, so that no patient waits for it.

    Returns
    -------
    tuple of EngineAttempt
        What became of each engine; empty for a method without one.
    """
    shape = (48, 40, 32)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = x**2 + y**2 + z**2 < 0.8
    magnitude = np.where(inside, 100.0, 1.0).astype(np.float32)
    field_ppm = np.where(inside, 0.1 * x * y, 0.0)
    times_s = (0.005, 0.010, 0.015)
    phase = [2 * math.pi * 127.7 * field_ppm * t for t in times_s]
    echoes = GradientEcho(
        magnitude=np.stack([magnitude] * 3),
        phase_rad=np.stack(phase).astype(np.float32),
        echo_times_s=times_s,
        b0_tesla=3.0,
        grid=Grid(shape=shape, voxel_size_mm=(4.0, 4.0, 4.0), b0_direction=(0.0, 0.0, 1.0)),
    )
    reconstruct(echoes, options=replace(options, fallback=""), mask=inside)
    deepbet.load_networks()
    return choose_engine(options.engine).attempts if options.method == "network" else ()
