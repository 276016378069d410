"""A small known head: before an engine is used, its output on it is compared with the reference.

The head is made by code, always the same: an ellipsoid with sources of known strength and a background field, taken
through the very features that the network sees. What the reference makes of it is worked out once per weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from recon.engines.base import Engine
from recon.engines.forward import CheckedForward
from recon.engines.torch_eager import TorchEngine
from recon.errors import EngineError
from recon.field.reliability import total_field_of
from recon.network.features import CHI_UNIT_PPM, field_tensors, network_features, pad_to_stride
from recon.network.weights import TrainedNetwork
from recon.operators.dipole import dipole_field
from recon.types import Grid

SHAPE = (64, 48, 32)
_GRID = Grid(shape=SHAPE, voxel_size_mm=(1.5, 2.0, 2.5), b0_direction=(0.0, 0.28, 0.96))
_SEED = 20190407


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far an engine is, or may be, from the reference inside the brain."""

    rms_ppb: float
    largest_ppb: float

    def within(self, allowed: Difference) -> bool:
        """Return whether it is small enough; a difference that is not a number is not."""
        return self.rms_ppb <= allowed.rms_ppb and self.largest_ppb <= allowed.largest_ppb


EXACT = Difference(rms_ppb=0.05, largest_ppb=1.0)
REDUCED = Difference(rms_ppb=1.0, largest_ppb=20.0)
"""For engines that compute in less than float32. Not tuned: what a map in ppb may lose. torch-cuda on an H200 differs
by 0.009 ppb RMS and 0.20 ppb at most."""


def difference(output: torch.Tensor, expected: torch.Tensor, mask: torch.Tensor) -> Difference:
    """Compare two outputs of the network inside a mask.

    Parameters
    ----------
    output, expected
        ``(1, 1, x, y, z)`` in the network's unit.
    mask
        ``(x, y, z)`` bool.
    """
    apart_ppb = ((output.cpu() - expected.cpu())[0, 0][mask.cpu()] * CHI_UNIT_PPM * 1e3).double()
    return Difference(rms_ppb=float(apart_ppb.square().mean().sqrt()), largest_ppb=float(apart_ppb.abs().max()))


@lru_cache(maxsize=4)
def known_head(stride: int) -> torch.Tensor:
    """Return the features of the known head, ``(1, channel, x, y, z)``, each axis a multiple of ``stride``."""
    random = np.random.default_rng(_SEED)
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    mask = np.asarray(sum(a**2 for a in axes) < 0.75)
    chi = 0.02 * random.standard_normal(SHAPE) * mask
    for amplitude_ppm in (0.2, 0.15, -0.1, 1.0):
        centre = random.uniform(-0.45, 0.45, 3)
        chi += amplitude_ppm * (sum((a - c) ** 2 for a, c in zip(axes, centre, strict=True)) < 0.02)
    background = 0.3 * axes[0] * axes[1] + 0.5 * axes[2]
    field = dipole_field(torch.from_numpy(chi.astype(np.float32)), _GRID) + torch.from_numpy(
        background.astype(np.float32)
    )
    noise_ppm = np.full(SHAPE, 0.004, np.float32)
    features = network_features(field_tensors(total_field_of(field.numpy(), noise_ppm, mask, _GRID)))
    x, y, z = pad_to_stride(SHAPE, stride)
    stack = torch.zeros(1, features.shape[0], x, y, z)
    stack[0, :, : SHAPE[0], : SHAPE[1], : SHAPE[2]] = features
    return stack


@lru_cache(maxsize=2)
def _expected(trained: TrainedNetwork) -> torch.Tensor:
    return TorchEngine(trained).run(known_head(trained.network.config.stride))


def check(engine: Engine, trained: TrainedNetwork) -> Difference:
    """Run an engine on the known head.

    Returns
    -------
    Difference
        From the reference; within tolerance.

    Raises
    ------
    EngineError
        If it is not, or if the engine cannot run.
    """
    head = known_head(trained.network.config.stride)
    output = CheckedForward(engine, trained.network.config)(head.to(engine.device))
    found = difference(output, _expected(trained), head[0, 1] > 0.5)
    allowed = EXACT if engine.describe().precision == "fp32" else REDUCED
    if not found.within(allowed):
        raise EngineError(
            f"it failed its self-check: {found.rms_ppb:.3g} ppb RMS and {found.largest_ppb:.3g} ppb at most from the "
            f"reference, {allowed.rms_ppb:g} and {allowed.largest_ppb:g} are allowed"
        )
    return found
