"""What the operator may choose, by name: known without loading what carries it out, which takes seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

METHOD_NAMES: Final = ("network", "tikhonov", "tkd", "tv", "hd-qsm", "lbv-hd-qsm", "tfi", "tgv")
"""Keys of :data:`recon.inversion.methods.METHODS`."""

ENGINE_NAMES: Final = ("tensorrt-rtx", "tensorrt", "torch-cuda", "openvino", "torch")
"""Keys of :data:`recon.engines.choose.ENGINES`, in the order in which :data:`AUTO` tries them."""

AUTO: Final = "auto"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the operator may choose.

    Parameters
    ----------
    method
        Inversion method, one of :data:`METHOD_NAMES`.
    engine
        Inference engine, one of :data:`ENGINE_NAMES` or :data:`AUTO`.
    fallback
        Method that takes over, with a warning, where the chosen one's map fails the quality check; empty for none.
    """

    method: str = "network"
    engine: str = AUTO
    fallback: str = "lbv-hd-qsm"
