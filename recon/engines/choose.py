"""Which engine runs: one table, and the rule of ``auto``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from recon.engines.base import Engine, EngineFactory
from recon.engines.eager import EagerEngine
from recon.engines.openvino_cpu import OpenVinoEngine
from recon.errors import EngineError, InvalidInputError
from recon.network.weights import TrainedNetwork, load_weights


def _tensorrt(trained: TrainedNetwork) -> Engine:
    """Say that this version has no TensorRT engine yet."""
    del trained
    raise EngineError("the TensorRT engine is not part of this version; use --engine openvino or --engine torch")


ENGINES: dict[str, EngineFactory] = {"tensorrt": _tensorrt, "openvino": OpenVinoEngine, "torch": EagerEngine}
AUTO_ORDER = ("openvino", "torch")


@dataclass(frozen=True, kw_only=True)
class ChosenEngine:
    """An engine and how it was found.

    Parameters
    ----------
    engine
        Ready to run.
    trained
        Its network.
    warnings
        Engines that were tried first and why they did not do.
    """

    engine: Engine
    trained: TrainedNetwork
    warnings: tuple[str, ...] = ()


@cache
def choose_engine(name: str) -> ChosenEngine:
    """Load the engine called ``name``, once per process.

    Parameters
    ----------
    name
        Key of :data:`ENGINES`, or ``"auto"`` for the first of :data:`AUTO_ORDER` that works.

    Raises
    ------
    InvalidInputError
        If there is no engine of that name.
    EngineError
        If the named engine cannot run here.
    """
    trained = load_weights()
    if name != "auto":
        if name not in ENGINES:
            raise InvalidInputError(f"no engine {name!r}: expected auto, {', '.join(ENGINES)}")
        return ChosenEngine(engine=ENGINES[name](trained), trained=trained)
    warnings: list[str] = []
    for candidate in AUTO_ORDER:
        try:
            return ChosenEngine(engine=ENGINES[candidate](trained), trained=trained, warnings=tuple(warnings))
        except EngineError as error:
            warnings.append(f"Engine {candidate} could not be used: {error}.")
    raise EngineError(" ".join(warnings))
