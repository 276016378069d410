"""Which engine runs: the rule of ``auto``, and what happens when one fails in the middle of a job."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch

from recon.engines.base import Description, Engine, import_library
from recon.engines.forward import CheckedForward, Work, done_on, engine_error
from recon.engines.gpu import driver_present
from recon.engines.self_check import check
from recon.errors import DeviceMemoryError, EngineAbsentError, EngineError, InvalidInputError
from recon.network.weights import TrainedNetwork, load_weights
from recon.options import AUTO, ENGINES

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EngineAttempt:
    """What became of an engine.

    Parameters
    ----------
    name
        Key of :data:`recon.options.ENGINES`.
    state
        ``"ready"``: loaded, and right on the known head. ``"absent"``: no device, library or engine file
        here. ``"refused"``: it could run here and must not, or failed in a job.
    reason
        Precision and device of one that is ready, else why it is not, in a sentence without a full stop.
    load_seconds
        How long it took to load and check it.
    rms_ppb, largest_ppb
        How far it is from the reference on the known head; None where it did not run.
    """

    name: str
    state: Literal["ready", "refused", "absent", "untried"]
    reason: str = ""
    load_seconds: float = 0.0
    rms_ppb: float | None = None
    largest_ppb: float | None = None


@dataclass(frozen=True, kw_only=True)
class Inference:
    """What the network's work gave, and how it was run.

    Parameters
    ----------
    output
        What the work returned, on the CPU.
    engine
        The engine that made it.
    choice
        Why this engine.
    warnings
        Sentences for the reader of the map.
    device
        Where the work was done.
    """

    output: torch.Tensor
    engine: Description
    choice: str
    warnings: tuple[str, ...]
    device: torch.device


def try_engine(name: str, trained: TrainedNetwork) -> tuple[Engine | None, EngineAttempt]:
    """Load an engine and check it on the known head; return None, and the reason, if it cannot be used."""
    row, began = ENGINES[name], time.perf_counter()
    try:
        engine: Engine = import_library(row.module).load(trained, row)
        apart = check(engine, trained)
    except (EngineError, RuntimeError, MemoryError) as error:
        reason = error if isinstance(error, EngineError) else engine_error(error)
        return None, EngineAttempt(
            name=name,
            state="absent" if isinstance(reason, EngineAbsentError) else "refused",
            reason=str(reason),
            load_seconds=time.perf_counter() - began,
        )
    return engine, EngineAttempt(
        name=name,
        state="ready",
        reason=str(engine.describe()),
        load_seconds=time.perf_counter() - began,
        rms_ppb=apart.rms_ppb,
        largest_ppb=apart.largest_ppb,
    )


class EngineChain:
    """Engines one after the other: the first that works runs, the next stands in for one that fails.

    Engines are loaded when their turn comes. One that failed in a job is not tried again: a lost device needs a new
    process. One that had too little memory is tried again.

    Parameters
    ----------
    trained
        Network.
    names
        Keys of :data:`recon.options.ENGINES`, the first to be tried first.
    asked
        What the operator asked for.
    """

    def __init__(self, trained: TrainedNetwork, names: Sequence[str], asked: str) -> None:
        self.trained = trained
        self._names, self._asked = tuple(names), asked
        self._loaded: dict[str, Engine | None] = {}
        self._attempts = {name: EngineAttempt(name=name, state="untried") for name in names}

    @property
    def attempts(self) -> tuple[EngineAttempt, ...]:
        """What became of each engine so far, in order."""
        return tuple(self._attempts.values())

    def prepare(self) -> Engine:
        """Load the first engine that works.

        Raises
        ------
        EngineError
            If none does, or if a named one does not: a site that names its engine wants to know.
        """
        for name in self._names:
            engine = self._engine(name)
            if engine is not None:
                return engine
            if self._asked != AUTO:
                reason, needs = self._attempts[name].reason, ENGINES[name].needs
                raise EngineError(f"engine {name} cannot be used: {reason}; it needs {needs}")
        raise EngineError(" ".join(f"{a.name}: {a.reason}." for a in self.attempts))

    def infer(self, work: Work) -> Inference:
        """Do work that needs the network, on the first engine that gets through.

        Parameters
        ----------
        work
            Receives the network as a function and the device of its input; repeated if an engine fails.

        Raises
        ------
        EngineError
            If no engine gets through.
        MapError
            If the work cannot be done whatever the engine.
        """
        self.prepare()
        failures: list[str] = []
        for name in self._names:
            engine = self._engine(name)
            if engine is None:
                continue
            forward = CheckedForward(engine, self.trained.network.config)
            try:
                output = done_on(engine.device, work, forward)
            except EngineError as error:
                failures.append(f"Engine {name} failed: {error}.")
                if not isinstance(error, DeviceMemoryError) and name != self._names[-1]:
                    self._drop(name, str(error))
                continue
            return Inference(
                output=output,
                engine=engine.describe(),
                choice=self._choice(name),
                device=engine.device,
                warnings=tuple(dict.fromkeys((*self._refusals(name), *failures, *forward.remarks))),
            )
        raise EngineError(" ".join(failures) or "no engine is left; start the service again")

    def _engine(self, name: str) -> Engine | None:
        """Return an engine, loaded and checked at its first use; None if it cannot be used."""
        if name not in self._loaded:
            self._loaded[name], self._attempts[name] = try_engine(name, self.trained)
        return self._loaded[name]

    def _drop(self, name: str, reason: str) -> None:
        self._loaded[name] = None
        self._attempts[name] = EngineAttempt(name=name, state="refused", reason=f"failed in a job: {reason}")
        _LOG.error("engine %s failed in a job and is not used again: %s", name, reason)

    def _earlier(self, used: str) -> list[EngineAttempt]:
        """Return what became of the engines that come before the one that was used."""
        return [self._attempts[name] for name in self._names[: self._names.index(used)]]

    def _refusals(self, used: str) -> list[str]:
        """Return what kept earlier engines from running, as far as the reader of a map has to know it.

        That a GPU's engine is absent is reported only on a machine that has a GPU.
        """
        slower_than_possible = driver_present() and not ENGINES[used].compiled_for_gpu
        reasons: dict[str, list[str]] = {}
        for a in self._earlier(used):
            missed = slower_than_possible and ENGINES[a.name].compiled_for_gpu
            if a.state == "refused" or (a.state == "absent" and missed):
                reasons.setdefault(a.reason, []).append(a.name)
        return [
            f"Engine{'s' if len(names) > 1 else ''} {', '.join(names)} could not be used: {reason}."
            for reason, names in reasons.items()
        ]

    def _choice(self, used: str) -> str:
        others = "; ".join(f"{a.name}: {a.reason}" for a in self._earlier(used))
        return f"{self._asked}, {used}" + (f" ({others})" if others else "")


def chain_of(asked: str) -> tuple[str, ...]:
    """Return the engines to try for what the operator asked for: that one first, then those below it.

    Raises
    ------
    InvalidInputError
        If there is no engine of that name.
    """
    names = tuple(ENGINES)
    if asked == AUTO:
        return names
    if asked not in names:
        raise InvalidInputError(f"no engine {asked!r}: expected {AUTO}, {', '.join(names)}")
    return names[names.index(asked) :]


@cache
def choose_engine(asked: str) -> EngineChain:
    """Return the engines for ``asked``, the first of them loaded, once per process.

    Parameters
    ----------
    asked
        Key of :data:`recon.options.ENGINES`, or ``"auto"`` for the first that works.

    Raises
    ------
    InvalidInputError
        If there is no engine of that name.
    EngineError
        If the named engine, or all of them, cannot run here.
    """
    chain = EngineChain(load_weights(), chain_of(asked), asked)
    chain.prepare()
    return chain
