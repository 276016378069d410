"""OpenVINO on the CPU: bfloat16 where the processor has it, else float32."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from recon.engines.base import Description, Shape, installed_version
from recon.engines.engine_file import Manifest, cached_or_built
from recon.engines.folders import cache_folder
from recon.errors import EngineError
from recon.network.features import MASK_CHANNEL
from recon.network.model import TotalFieldNetwork
from recon.network.weights import TrainedNetwork
from recon.operators.boxes import Box, mask_box
from recon.options import EngineRow
from recon.types import BoolArray

# OpenVINO's usage statistics are on by default and leave the machine from a forked child: cut off before its import.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # noqa: E402

NAME = "openvino"
_HINTS = {"fp32": "f32", "bf16": "bf16"}
"""OpenVINO's names of precisions."""
_PLANES = 8
"""At half resolution, that the layers at full resolution see at a time."""


class OpenVinoEngine:
    """The network compiled by OpenVINO for volumes of any size.

    Its layers at full resolution take two thirds of the memory, so they see a few planes at a time, and of these only
    the part around the mask.

    Parameters
    ----------
    trained
        Network.
    precision
        ``"fp32"``, or ``"bf16"`` where the processor has it.

    Raises
    ------
    EngineError
        If OpenVINO cannot compile it.
    """

    device = torch.device("cpu")
    largest: Shape | None = None

    def __init__(self, trained: TrainedNetwork, precision: str = "bf16") -> None:
        try:
            models = [ov.Core().read_model(*model) for model in _unpacked(_converted(trained))]
            (precision, self._half), (_, self._full) = (_compile(model, precision) for model in models)
        except (OSError, RuntimeError, ValueError) as error:
            raise EngineError(f"OpenVINO could not compile the network ({error}); use --engine torch") from error
        self.description = Description(engine=NAME, precision=precision, device="CPU")

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network; see :class:`recon.engines.base.Engine`."""
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)  # the layers need the memory: glibc keeps freed arrays below 32 MiB, 0.3 GiB here
        seen = np.ascontiguousarray(features.numpy())
        half = self._half([seen])[0]
        output = np.zeros((1, 1, *seen.shape[2:]), np.float32)
        for slab in _slabs(seen[0, MASK_CHANNEL] > 0.5):
            x, y, z = fine = _at_full_resolution(slab.seen)
            parts = [np.ascontiguousarray(half[:, :, *slab.seen]), np.ascontiguousarray(seen[:, :, *fine])]
            first, last = 2 * slab.skipped, 2 * (slab.skipped + slab.planes)
            output[:, :, x.start + first : x.start + last, y, z] = self._full(parts)[0][:, :, first:last]
        return torch.from_numpy(output)


def load(trained: TrainedNetwork, row: EngineRow) -> OpenVinoEngine:
    """Compile the network, converted now or found in the cache."""
    return OpenVinoEngine(trained, row.precision)


def compile_scripted(network: torch.jit.ScriptModule, channel: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Compile a scripted network of one volume in the processor's best precision.

    It takes ``(1, 1, x, y, z)`` float32 and returns one channel of the output, ``(x, y, z)``.

    Raises
    ------
    EngineError
        If OpenVINO cannot compile it.
    """
    try:
        model = ov.convert_model(network, example_input=torch.zeros(1, 1, 64, 64, 64))
        _, compiled = _compile(model, "bf16")
    except (OSError, RuntimeError) as error:
        raise EngineError(f"OpenVINO cannot compile the network ({error})") from error

    def run(volume: torch.Tensor) -> torch.Tensor:
        found = _run(compiled, volume, (0, channel))
        with suppress(RuntimeError):  # another thread uses it
            compiled.release_memory()  # of its layers, 0.5 GiB here: what follows would come on top
        return found

    return run


def _compile(model: Any, precision: str) -> tuple[str, Any]:  # noqa: ANN401 - OpenVINO has no types
    """Return the precision and the compiled model: one volume as soon as possible, on the process's own cores."""
    core = ov.Core()
    if precision.upper() not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        precision = "fp32"
    settings = {
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
    }
    return precision, core.compile_model(model, "CPU", settings)


def _run(compiled: Any, volume: torch.Tensor, part: tuple[int, ...] = ()) -> torch.Tensor:  # noqa: ANN401
    """Return a part of the output, copied: the next run writes over OpenVINO's own array."""
    return torch.from_numpy(np.array(compiled([np.ascontiguousarray(volume.numpy())])[0][part], dtype=np.float32))


@dataclass(frozen=True, kw_only=True)
class _Slab:
    """Planes across the first axis at half resolution: so many, after those skipped, of the box that is to be seen."""

    seen: Box
    skipped: int
    planes: int


def _slabs(mask: BoolArray) -> Iterator[_Slab]:
    """Yield the parts of a mask ``(x, y, z)``, with a plane on each side for what is seen of the neighbours."""
    blocks = mask.reshape([n for size in mask.shape for n in (size // 2, 2)])
    half = np.asarray(blocks.any(axis=(1, 3, 5)))
    for begin in range(0, half.shape[0], _PLANES):
        planes = half[begin : begin + _PLANES]
        if planes.any():
            _, y, z = mask_box(planes, 1)
            first, last = max(0, begin - 1), min(half.shape[0], begin + len(planes) + 1)
            yield _Slab(seen=(slice(first, last), y, z), skipped=begin - first, planes=len(planes))


def _at_full_resolution(box: Box) -> Box:
    x, y, z = (slice(2 * s.start, 2 * s.stop) for s in box)
    return (x, y, z)


class _Half(nn.Module):
    """The network at half resolution."""

    def __init__(self, network: TotalFieldNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.network.at_half_resolution(features)


class _Full(nn.Module):
    """The network at full resolution."""

    def __init__(self, network: TotalFieldNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, half: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return self.network.at_full_resolution(half, features)


def _converted(trained: TrainedNetwork) -> bytes:
    """Return the converted network, from the cache where there is one: converting takes most of a start."""
    folder = cache_folder(NAME)
    if folder is None:
        return _convert(trained)
    wanted = Manifest(
        engine=NAME,
        weights_sha256=trained.sha256,
        precision="any, half and full resolution apart",
        library=NAME,
        library_version=f"{installed_version(NAME)}, torch {torch.__version__}",
        targets=("CPU",),
    )
    return cached_or_built(folder, wanted, lambda: _convert(trained)).plan


def _convert(trained: TrainedNetwork) -> bytes:
    """Convert both parts of the network: OpenVINO's XML and weights of each, each after its length in eight bytes."""
    network, config = trained.network, trained.network.config
    shape = (2 * config.stride, 3 * config.stride, 4 * config.stride)
    features, half = torch.zeros(1, config.inputs, *shape), torch.zeros(1, config.widths[0], *(n // 2 for n in shape))
    parts = (*_convert_part(_Half(network), features), *_convert_part(_Full(network), half, features))
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


def _convert_part(part: nn.Module, *example: torch.Tensor) -> tuple[bytes, bytes]:
    """Return OpenVINO's XML and weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's exporter warns about its own internals
        model = ov.convert_model(torch.export.export(part, example))
    # Convolutions, additions and activations only: nothing in the graph depends on the example's size.
    model.reshape({number: [1, volume.shape[1], -1, -1, -1] for number, volume in enumerate(example)})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        ov.save_model(model, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def _unpacked(converted: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield XML and weights of each part that :func:`_convert` made."""
    parts, at = [], 0
    while at < len(converted):
        begin, at = at + 8, at + 8 + int.from_bytes(converted[at : at + 8], "little")
        parts.append(converted[begin:at])
    yield from zip(parts[::2], parts[1::2], strict=True)
