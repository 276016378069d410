"""An engine as the function that the work around the network calls, and what its failures mean."""

from __future__ import annotations

from collections.abc import Callable

import torch

from recon.engines.base import Engine
from recon.engines.tiles import reach_voxels, run_in_tiles
from recon.errors import DeviceMemoryError, EngineError, MapError
from recon.network.model import ModelConfig
from recon.network.passes import Forward

Work = Callable[[Forward, torch.device], torch.Tensor]
"""What is to be done with the network, given as a function, on the device where its input has to be."""


class CheckedForward:
    """An engine as a function: in tiles where the volume asks for it, finite in, finite out."""

    def __init__(self, engine: Engine, config: ModelConfig) -> None:
        self._engine, self._config = engine, config
        self.remarks: list[str] = []

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Run the network on ``(1, channel, x, y, z)``.

        Raises
        ------
        MapError
            If the input holds values that are not numbers.
        DeviceMemoryError
            If the device has too little free memory.
        EngineError
            If the device is lost, or anything else goes wrong in the engine.
        """
        if not _finite(features):
            raise MapError("the network's input holds values that are not numbers; the map is withheld")
        try:
            output = self._run(features)
            finite = _finite(output)
        except (RuntimeError, MemoryError) as error:
            raise engine_error(error) from error
        if not finite:
            raise EngineError("it gave values that are not numbers")
        return output

    def _run(self, features: torch.Tensor) -> torch.Tensor:
        largest = self._engine.largest
        if largest is None:
            return self._engine.run(features)
        output, count = run_in_tiles(self._engine.run, features, largest, self._config)
        if count > 1:
            most, margin = " x ".join(map(str, largest)), reach_voxels(self._config)
            self.remarks.append(
                f"The volume is larger than the engine takes ({most} voxels): the network ran on {count} tiles, each "
                f"with {margin} voxels of its neighbours, which is as far as the network looks."
            )
        return output


def _finite(values: torch.Tensor) -> bool:
    """Return whether all values are finite: their least and their greatest are, which not-a-number spoils."""
    return all(bool(torch.isfinite(extreme)) for extreme in torch.aminmax(values))


def done_on(device: torch.device, work: Work, forward: CheckedForward) -> torch.Tensor:
    """Do the work; a failure on a GPU is blamed on the engine, one on the CPU on the data.

    Raises
    ------
    EngineError
        If the engine, or anything else on a GPU, failed.
    MapError
        If the work failed on the CPU, outside the engine.
    """
    try:
        return work(forward, device).cpu()
    except RuntimeError as error:
        if device.type == "cpu":
            raise MapError(f"the network's input could not be made ({error})") from error
        raise engine_error(error) from error


def engine_error(error: Exception) -> EngineError:
    """Return an error of the device's library as ours; of CUDA's many lines the first says what happened."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return DeviceMemoryError(f"the device has too little free memory ({text})")
    return EngineError(text)
