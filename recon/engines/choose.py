"""Which engine runs: one table, the rule of ``auto``, and what happens when one fails in the middle of a job."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch

from recon.engines import eager, openvino_cpu, torch_cuda
from recon.engines.base import Description, Engine, EngineFactory, Say, silent
from recon.engines.forward import CheckedForward, Work, done_on
from recon.engines.gpu import driver_present
from recon.engines.self_check import check
from recon.engines.tensorrt import tensorrt_rtx
from recon.engines.tensorrt import torch_tensorrt as tensorrt
from recon.errors import DeviceMemoryError, EngineAbsentError, EngineError, InvalidInputError
from recon.network.weights import TrainedNetwork, load_weights
from recon.options import AUTO

ENGINES: dict[str, EngineFactory] = {
    "tensorrt-rtx": tensorrt_rtx.load,
    "tensorrt": tensorrt.load,
    "torch-cuda": torch_cuda.load,
    "openvino": openvino_cpu.load,
    "torch": eager.load,
}
"""Engines in the order in which ``auto`` tries them; an engine that fails is followed by the next."""

_LOG = logging.getLogger(__name__)

REFERENCE = "torch"
_COMPILED_FOR_GPU = ("tensorrt-rtx", "tensorrt")

State = Literal["ready", "refused", "absent", "untried"]


@dataclass(frozen=True, kw_only=True)
class EngineAttempt:
    """What became of an engine.

    Parameters
    ----------
    name
        Key of :data:`ENGINES`.
    state
        ``"ready"``: loaded, and right on the known head. ``"absent"``: nothing to run on or with here. ``"refused"``:
        it could run here and must not, or failed in a job.
    reason
        Why, in a sentence without a full stop.
    """

    name: str
    state: State
    reason: str


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


class EngineChain:
    """Engines one after the other: the first that works runs, the next stands in for one that fails.

    Engines are loaded when their turn comes. One that failed in a job is not tried again, for a device that was lost
    comes back with the process; one that had too little memory is.

    Parameters
    ----------
    trained
        Network.
    names
        Keys of :data:`ENGINES`, the first to be tried first.
    asked
        What the operator asked for.
    say
        Told what takes long.
    """

    def __init__(self, trained: TrainedNetwork, names: Sequence[str], asked: str, say: Say = silent) -> None:
        self.trained = trained
        self._names, self._asked, self._say = tuple(names), asked, say
        self._loaded: dict[str, Engine] = {}
        self._attempts: dict[str, EngineAttempt] = {}

    @property
    def attempts(self) -> tuple[EngineAttempt, ...]:
        """What became of each engine so far, in order."""
        return tuple(self._attempts.get(n, EngineAttempt(name=n, state="untried", reason="")) for n in self._names)

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
                raise EngineError(f"engine {name} cannot be used: {self._attempts[name].reason}")
        raise EngineError(" ".join(f"{a.name}: {a.reason}." for a in self.attempts))

    def infer(self, work: Work) -> Inference:
        """Do work that needs the network, on the first engine that gets through.

        Parameters
        ----------
        work
            Is given the network as a function and the device of its input, and is done anew if an engine fails.

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
        """Return an engine, loaded and checked now if it was not yet; None if it does not do."""
        if name in self._attempts:
            return self._loaded.get(name)
        try:
            engine = load_checked(name, self.trained, self._say)
        except EngineError as reason:
            absent = isinstance(reason, EngineAbsentError)
            self._attempts[name] = EngineAttempt(name=name, state="absent" if absent else "refused", reason=str(reason))
            self._say(f"engine {name}: {reason}")
            return None
        self._loaded[name] = engine
        self._attempts[name] = EngineAttempt(name=name, state="ready", reason=str(engine.describe()))
        return engine

    def _drop(self, name: str, reason: str) -> None:
        self._loaded.pop(name, None)
        self._attempts[name] = EngineAttempt(name=name, state="refused", reason=f"failed in a job: {reason}")
        self._say(f"engine {name} failed: {reason}")
        _LOG.error("engine %s failed in a job and is not used again: %s", name, reason)

    def _refusals(self, used: str) -> list[str]:
        """Return what kept earlier engines from running, as far as the reader of a map has to know it.

        An engine that is absent because the machine has no GPU is not worth a word; on a machine that has one it is.
        """
        earlier = [a for a in self.attempts[: self._names.index(used)] if a.state != "ready"]
        better_to_be_had = driver_present() and used not in _COMPILED_FOR_GPU
        reasons: dict[str, list[str]] = {}
        for a in earlier:
            if a.state == "refused" or (better_to_be_had and a.name in _COMPILED_FOR_GPU):
                reasons.setdefault(a.reason, []).append(a.name)
        return [
            f"Engine{'s' if len(names) > 1 else ''} {', '.join(names)} could not be used: {reason}."
            for reason, names in reasons.items()
        ]

    def _choice(self, used: str) -> str:
        others = "; ".join(f"{a.name}: {a.reason}" for a in self.attempts[: self._names.index(used)] if a.name != used)
        return f"{self._asked}, {used}" + (f" ({others})" if others else "")


def load_checked(name: str, trained: TrainedNetwork, say: Say = silent) -> Engine:
    """Load an engine and let it show on the known head that it is right.

    Raises
    ------
    EngineError
        If it cannot be loaded, or is not.
    """
    engine = ENGINES[name](trained, say)
    if name != REFERENCE:
        check(engine, trained)
    return engine


def chain_of(asked: str) -> tuple[str, ...]:
    """Return the engines to try for what the operator asked for: that one first, then those below it.

    Raises
    ------
    InvalidInputError
        If there is no engine of that name.
    """
    if asked == AUTO:
        return tuple(ENGINES)
    if asked not in ENGINES:
        raise InvalidInputError(f"no engine {asked!r}: expected {AUTO}, {', '.join(ENGINES)}")
    names = list(ENGINES)
    below = names[names.index(asked) + 1 :]
    return (asked, *below)


@cache
def choose_engine(asked: str) -> EngineChain:
    """Return the engines for ``asked``, the first of them loaded, once per process.

    Parameters
    ----------
    asked
        Key of :data:`ENGINES`, or ``"auto"`` for the first that works.

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
