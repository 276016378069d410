"""What the operator may choose, by name: known without loading what carries it out, which takes seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

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


@dataclass(frozen=True, kw_only=True)
class EngineRow:
    """An inference engine.

    Parameters
    ----------
    name
        As operators and results call it.
    module
        Whose ``load(trained, row)`` makes it.
    device
        ``"gpu"`` or ``"cpu"``.
    precision
        What most layers compute in; ``"bf16"`` becomes fp32 on a processor without it.
    needs
        What the machine must have, for people.
    compiled_for_gpu
        Whether it makes the most of a GPU; a warning says so where a GPU is there and another engine runs.
    """

    name: str
    module: str
    device: Literal["gpu", "cpu"]
    precision: Literal["fp32", "fp16", "bf16"]
    needs: str
    compiled_for_gpu: bool = False


_ENGINES = (
    EngineRow(
        name="tensorrt-rtx",
        module="recon.engines.tensorrt.engine",
        device="gpu",
        precision="fp16",
        needs="an NVIDIA GPU, the extra 'tensorrt-rtx' and a file of `qsm-plugin engine build --ahead-of-time`",
        compiled_for_gpu=True,
    ),
    EngineRow(
        name="tensorrt",
        module="recon.engines.tensorrt.engine",
        device="gpu",
        precision="fp16",
        needs="an NVIDIA GPU and the extra 'tensorrt' or 'tensorrt-rtx'",
        compiled_for_gpu=True,
    ),
    EngineRow(
        name="torch-cuda",
        module="recon.engines.torch_eager",
        device="gpu",
        precision="fp16",
        needs="an NVIDIA GPU and a CUDA build of torch",
    ),
    EngineRow(
        name="openvino", module="recon.engines.openvino_cpu", device="cpu", precision="bf16", needs="package openvino"
    ),
    EngineRow(name="torch", module="recon.engines.torch_eager", device="cpu", precision="fp32", needs="package torch"),
)
ENGINES: Final = {row.name: row for row in _ENGINES}
"""Every engine, in the order in which :data:`AUTO` tries them; the last is the reference."""
ENGINE_NAMES: Final = tuple(ENGINES)

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
