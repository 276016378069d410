"""Which GPU there is, and whether it can be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from recon.errors import EngineAbsentError, EngineError

LEAST_CAPABILITY = (7, 5)
"""TensorRT needs Turing or later."""

_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """The first NVIDIA GPU that torch can use.

    Parameters
    ----------
    name
        As the driver calls it.
    capability
        Compute capability, major and minor.
    """

    name: str
    capability: tuple[int, int]

    @property
    def architecture(self) -> str:
        """``"sm_86"``."""
        return f"sm_{self.capability[0]}{self.capability[1]}"

    @property
    def device(self) -> torch.device:
        """The GPU as torch's device."""
        return torch.device("cuda", 0)


def driver_present() -> bool:
    """Return whether the machine has an NVIDIA driver, whatever torch was built for."""
    return _DRIVER.exists()


def find_gpu() -> Gpu:
    """Return the first usable GPU.

    Raises
    ------
    EngineAbsentError
        If there is none.
    EngineError
        If there is one that cannot be used; the message says why and what to do.
    """
    if not torch.cuda.is_available():
        if driver_present() and torch.version.cuda is None:
            raise EngineError(
                f"an NVIDIA driver is here, but torch {torch.__version__} was built without CUDA; "
                "install a CUDA build of torch"
            )
        if driver_present():
            raise EngineError("an NVIDIA driver is here, but CUDA finds no GPU; try nvidia-smi")
        raise EngineAbsentError("no NVIDIA GPU on this machine")
    try:
        properties = torch.cuda.get_device_properties(0)
    except RuntimeError as error:
        raise EngineError(f"the GPU does not answer ({error})") from error
    gpu = Gpu(name=properties.name, capability=(properties.major, properties.minor))
    if gpu.capability < LEAST_CAPABILITY:
        found, least = (".".join(map(str, capability)) for capability in (gpu.capability, LEAST_CAPABILITY))
        raise EngineError(f"{gpu.name} has compute capability {found}, TensorRT needs {least} or later")
    return gpu
