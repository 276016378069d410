"""What the operator may choose, by name: known without loading what carries it out, which takes seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

METHODS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "network": "recon.engines.network_method:invert_by_network",
        "tikhonov": "recon.inversion.chains:harmonic_tikhonov",
        "tkd": "recon.inversion.chains:vsharp_tkd",
        "tv": "recon.inversion.chains:vsharp_tv",
        "hd-qsm": "recon.inversion.chains:ismv_hd_qsm",
        "lbv-hd-qsm": "recon.inversion.chains:harmonic_hd_qsm",
        "tfi": "recon.inversion.chains:total_tfi",
        "tgv": "recon.inversion.chains:total_tgv",
    }
)
"""Inversion methods, and the function of each, which :func:`recon.inversion.methods.find_method` loads."""

ENGINE_NAMES: Final = ("tensorrt-rtx", "tensorrt", "torch-cuda", "openvino", "torch")
"""Keys of :data:`recon.engines.choose.ENGINES`, in the order in which :data:`AUTO` tries them."""

AUTO: Final = "auto"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the operator may choose.

    Parameters
    ----------
    method
        Inversion method, one of :data:`METHODS`.
    engine
        Inference engine, one of :data:`ENGINE_NAMES` or :data:`AUTO`.
    fallback
        Method that takes over, with a warning, where the chosen one's map fails the quality check; empty for none.
    surface_bleeds
        Whether voids at the surface of the extracted brain that look like bleeds are taken into its mask. Off: it was
        tuned on simulated heads alone.
    """

    method: str = "network"
    engine: str = AUTO
    fallback: str = "lbv-hd-qsm"
    surface_bleeds: bool = False
