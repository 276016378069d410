"""How a map was made: software, method, engine, settings and libraries."""

from __future__ import annotations

import importlib.metadata
import platform

from recon.inversion.methods import Inverted
from recon.options import Options
from recon.types import GradientEcho, Provenance, TotalField

_LIBRARIES = ("numpy", "scipy", "numba", "torch", "openvino", "deepbet")
REFERENCES = {
    "deepbet": "whole-brain mean",
    "given": "mean over the given mask",
    "signal": "mean over all voxels with reliable signal",
}
"""What zero means, by the way the mask was found."""


def provenance(
    method: str, inverted: Inverted, echoes: GradientEcho, total: TotalField, options: Options
) -> Provenance:
    """Say how the map was made."""
    versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    versions["python"] = platform.python_version()
    return Provenance(
        software=f"qsm-plugin {importlib.metadata.version('qsm-plugin')}",
        method=method,
        engine=inverted.engine,
        weights_sha256=inverted.weights_sha256,
        parameters={
            "b0_tesla": echoes.b0_tesla,
            "echo_times_ms": ", ".join(f"{t * 1e3:.3f}" for t in echoes.echo_times_s),
            "mask": total.mask_method,
            "reference": REFERENCES[total.mask_method],
            **({"surface_bleeds": True} if options.surface_bleeds else {}),
            **inverted.parameters,
        },
        versions=versions,
        references=inverted.references,
        engine_choice=inverted.engine_choice,
    )
