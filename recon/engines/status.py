"""What an operator wants to know of the engines: which there are, which run here, why the others do not, how fast."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from recon.engines.base import Engine, Say, Shape, silent
from recon.engines.choose import ENGINES, REFERENCE, State, load_checked
from recon.engines.engine_file import MANIFEST_SUFFIX, PLAN_SUFFIX, mismatch, read_engine
from recon.engines.folders import engines_folder
from recon.engines.self_check import check
from recon.engines.tensorrt import tensorrt_rtx
from recon.engines.tensorrt.tensorrt_rtx import library_version
from recon.errors import EngineAbsentError, EngineError
from recon.network.weights import TrainedNetwork


@dataclass(frozen=True, kw_only=True)
class EngineState:
    """An engine on this machine.

    Parameters
    ----------
    name
        As in :data:`recon.engines.choose.ENGINES`.
    state
        ``"ready"``, ``"absent"`` or ``"refused"``.
    reason
        Precision and device of one that is ready, else why it is not.
    load_seconds
        How long it took to load and check it.
    rms_ppb, largest_ppb
        How far it is from the reference on the known head; None where it did not run.
    """

    name: str
    state: State
    reason: str
    load_seconds: float
    rms_ppb: float | None = None
    largest_ppb: float | None = None


@dataclass(frozen=True, kw_only=True)
class EngineFileState:
    """An engine file in the folder.

    Parameters
    ----------
    name
        Of the file.
    state
        ``"fits"``: of our weights, by the installed library, undamaged; else ``"refused"``.
    reason
        What it is, or why it is refused.
    """

    name: str
    state: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class EngineTime:
    """How long an engine takes for one volume.

    Parameters
    ----------
    name, description
        The engine.
    first_seconds
        The first run on this size, which may compile for it.
    seconds
        The best of the later runs.
    """

    name: str
    description: str
    first_seconds: float
    seconds: float


def engine_states(trained: TrainedNetwork, say: Say = silent) -> Iterator[EngineState]:
    """Load each engine of the table and let it run the known head."""
    for name in ENGINES:
        say(name)
        began = time.perf_counter()
        try:
            engine = load_checked(name, trained, say)
        except EngineError as reason:
            absent = isinstance(reason, EngineAbsentError)
            yield EngineState(
                name=name,
                state="absent" if absent else "refused",
                reason=str(reason),
                load_seconds=time.perf_counter() - began,
            )
            continue
        seconds = time.perf_counter() - began
        apart = check(engine, trained)
        yield EngineState(
            name=name,
            state="ready",
            reason=str(engine.describe()) + (", the reference" if name == REFERENCE else ""),
            load_seconds=seconds,
            rms_ppb=apart.rms_ppb,
            largest_ppb=apart.largest_ppb,
        )


def engine_files(trained: TrainedNetwork) -> Iterator[EngineFileState]:
    """Read every engine file in the folder and say whether it fits."""
    for path in sorted(engines_folder().glob(f"*{MANIFEST_SUFFIX}")):
        plan = path.with_suffix(PLAN_SUFFIX)
        try:
            manifest = read_engine(plan).manifest
        except EngineError as damage:
            yield EngineFileState(name=plan.name, state="refused", reason=str(damage))
            continue
        # Torch-TensorRT's version is part of the name that its cache is asked for, so an old file is never loaded.
        version = library_version() if manifest.engine == tensorrt_rtx.NAME else manifest.library_version
        reason = mismatch(manifest, weights_sha256=trained.sha256, library_version=version)
        what = f"{manifest.precision}, {manifest.library} {manifest.library_version}, {', '.join(manifest.targets)}"
        size = f"{manifest.plan_bytes / 1e6:.1f} MB"
        yield EngineFileState(name=plan.name, state="refused" if reason else "fits", reason=reason or f"{what}, {size}")


def time_engine(name: str, engine: Engine, shape: Shape, channels: int, runs: int = 3) -> EngineTime:
    """Time an engine on a volume of noise: what the network computes does not depend on the values.

    Parameters
    ----------
    name, engine
        The engine.
    shape
        Sizes, multiples of the network's stride.
    channels
        Of the input.
    runs
        How often it runs after the first time.
    """
    features = torch.randn(1, channels, *shape, generator=torch.Generator().manual_seed(0)).to(engine.device)
    seconds = []
    for _ in range(1 + runs):
        began = time.perf_counter()
        engine.run(features)
        seconds.append(time.perf_counter() - began)
    return EngineTime(
        name=name, description=str(engine.describe()), first_seconds=seconds[0], seconds=min(seconds[1:] or seconds)
    )
