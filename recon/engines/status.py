"""Which engine files fit, and how fast an engine is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from recon.engines.base import Engine, Shape, installed_version
from recon.engines.engine_file import mismatch, plans, read_engine
from recon.engines.folders import engines_folder
from recon.engines.tensorrt import ahead_of_time
from recon.errors import EngineError
from recon.network.features import MASK_CHANNEL
from recon.network.weights import TrainedNetwork


@dataclass(frozen=True, kw_only=True)
class EngineFileState:
    """An engine file in the folder: ``"fits"`` (our weights, the installed library, undamaged) or ``"refused"``.

    ``reason`` says what it is, or why it is refused.
    """

    name: str
    state: str
    reason: str


def engine_files(trained: TrainedNetwork) -> Iterator[EngineFileState]:
    """Read every engine file in the folder and say whether it fits."""
    for path in plans(engines_folder()):
        try:
            manifest = read_engine(path).manifest
        except EngineError as damage:
            yield EngineFileState(name=path.name, state="refused", reason=str(damage))
            continue
        # Torch-TensorRT's version is part of the name that its cache is asked for, so an old file is never loaded.
        portable = manifest.engine == ahead_of_time.NAME
        version = installed_version(ahead_of_time.PACKAGE) if portable else manifest.library_version
        reason = mismatch(manifest, weights_sha256=trained.sha256, library_version=version)
        what = f"{manifest.precision}, {manifest.library} {manifest.library_version}, {', '.join(manifest.targets)}"
        size = f"{manifest.plan_bytes / 1e6:.1f} MB"
        yield EngineFileState(name=path.name, state="refused" if reason else "fits", reason=reason or f"{what}, {size}")


def time_engine(engine: Engine, shape: Shape, channels: int, runs: int) -> tuple[float, float]:
    """Return the seconds of a first run, which may compile for this size, and of the best of ``runs`` later ones.

    The volume is noise in a mask that fills it, its sizes multiples of the network's stride: nothing else that is
    computed depends on the values.
    """
    noise = torch.randn(1, channels, *shape, generator=torch.Generator().manual_seed(0))
    noise[:, MASK_CHANNEL] = 1.0
    features = noise.to(engine.device)
    seconds = []
    for _ in range(1 + runs):
        began = time.perf_counter()
        engine.run(features)
        seconds.append(time.perf_counter() - began)
    return seconds[0], min(seconds[1:])
