"""deepbet's networks, from its wheel and without its user interface: how likely each voxel is brain.

References
----------
Fisch et al., doi:10.48550/arXiv.2308.07003.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from recon.engines.openvino_cpu import compile_scripted
from recon.errors import EngineError, ReconError
from recon.masking.brain import Stage

_FILES: dict[Stage, str] = {"locate": "bbox_model.pt", "segment": "model.pt"}
_BRAIN = 1
"""Channel of the networks' output that tells how likely each voxel is brain."""


def segment(stage: Stage, volume: torch.Tensor) -> torch.Tensor:
    """Return the probability of brain; a :data:`recon.masking.brain.Segmenter`.

    Raises
    ------
    ReconError
        If the package with the networks is missing.
    """
    return _compiled(stage)(volume[None, None])


def load_networks() -> None:
    """Load both networks, so that no patient waits for it."""
    for stage in _FILES:
        _compiled(stage)


@cache
def _compiled(stage: Stage) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a network as OpenVINO runs it, in less than half of torch's time; torch's own where that fails."""
    spec = importlib.util.find_spec("deepbet")
    if spec is None or spec.origin is None:
        raise ReconError("package deepbet is not installed: install it, or hand in a mask")
    path = Path(spec.origin).parents[1] / "data" / "models" / _FILES[stage]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        network: torch.jit.ScriptModule = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
    try:
        return compile_scripted(network, _BRAIN)
    except EngineError:
        return lambda volume: network(volume)[0, _BRAIN]
