"""Run a TensorRT plan on torch's CUDA tensors: device pointers in, device pointers out, no copy through the host.

The same few calls serve TensorRT and TensorRT-RTX. Working memory is torch's own, as much as the volume at hand needs
rather than what the largest volume of the profile would, and goes back after each run.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from recon.engines.engine_file import write_whole
from recon.errors import DeviceMemoryError, EngineError

INPUT, OUTPUT = "features", "correction"
"""Names of the plan's tensors."""


class PlanRunner:
    """A plan, ready to run.

    Parameters
    ----------
    library
        ``tensorrt`` or ``tensorrt_rtx``.
    plan
        As the library's builder serialised it.
    device
        GPU to run on.
    kernel_cache
        File that keeps what TensorRT-RTX compiles for this GPU, so that it is compiled once; None for no such file.

    Raises
    ------
    EngineError
        If the library does not take the plan.
    """

    def __init__(
        self, library: ModuleType, plan: bytes, device: torch.device, kernel_cache: Path | None = None
    ) -> None:
        self._device, self._lock, self._kernel_cache = device, threading.Lock(), kernel_cache
        self._logger = library.Logger(library.Logger.ERROR)
        runtime = library.Runtime(self._logger)
        _refuse_invalid(library, runtime, plan)
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise EngineError("TensorRT did not accept the engine file on this GPU; build it anew")
        # The logger must outlive the runtime, that its engine, the engine its context.
        self._runtime, self._engine = runtime, engine
        self._cache: Any = None
        self._context = self._new_context(library)
        self._input, self._output = _tensor_names(library, engine)

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the plan; see :class:`recon.engines.base.Engine`."""
        try:
            with self._lock:
                return self._run(features.contiguous())
        except torch.cuda.OutOfMemoryError as error:
            raise DeviceMemoryError(f"the GPU has too little free memory ({_first_line(error)})") from error
        except RuntimeError as error:
            raise EngineError(f"the GPU could not run the network ({_first_line(error)})") from error

    def save_kernels(self) -> None:
        """Keep what was compiled for this GPU; a file that cannot be written costs time at the next start only."""
        if self._cache is not None and self._kernel_cache is not None:
            with contextlib.suppress(OSError, RuntimeError):
                write_whole(self._kernel_cache, bytes(self._cache.serialize()))

    def _new_context(self, library: ModuleType) -> Any:  # noqa: ANN401 - the library has no types
        strategy = library.ExecutionContextAllocationStrategy.USER_MANAGED
        if not hasattr(self._engine, "create_runtime_config"):
            return self._engine.create_execution_context(strategy)
        config = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy)
        if hasattr(config, "create_runtime_cache"):
            self._cache = config.create_runtime_cache()
            if self._kernel_cache is not None and self._kernel_cache.is_file():
                # The library compares the file with GPU, driver and itself, and starts empty where they differ.
                self._cache.deserialize(self._kernel_cache.read_bytes())
            config.set_runtime_cache(self._cache)
        return self._engine.create_execution_context(config)

    def _run(self, features: torch.Tensor) -> torch.Tensor:
        context = self._context
        if not context.set_input_shape(self._input, tuple(features.shape)):
            raise RuntimeError(f"the engine does not take a volume of {tuple(features.shape[2:])}")
        output = torch.empty((1, 1, *features.shape[2:]), dtype=torch.float32, device=features.device)
        needed = int(context.update_device_memory_size_for_shapes())
        memory = torch.empty(max(needed, 1), dtype=torch.uint8, device=features.device)
        context.set_device_memory(memory.data_ptr(), needed)
        context.set_tensor_address(self._input, features.data_ptr())
        context.set_tensor_address(self._output, output.data_ptr())
        if not on_own_stream(features.device, context.execute_async_v3):
            raise RuntimeError("TensorRT could not enqueue the network")
        return output


def on_own_stream(device: torch.device, enqueue: Callable[[int], bool]) -> bool:
    """Enqueue work on a stream of its own, after all that was enqueued before, and wait for it.

    On CUDA's default stream TensorRT would synchronise the device between kernels.
    """
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream(device))
    done = enqueue(stream.cuda_stream)
    stream.synchronize()
    return done


def _refuse_invalid(library: ModuleType, runtime: Any, plan: bytes) -> None:  # noqa: ANN401
    """Ask TensorRT-RTX whether the plan can run here; plain TensorRT says so by not loading it.

    Raises
    ------
    EngineError
        If it cannot.
    """
    if not hasattr(runtime, "get_engine_validity"):
        return
    validity, diagnostics = runtime.get_engine_validity(plan)
    if validity == library.EngineValidity.INVALID:
        reasons = [
            name.lower().replace("_", " ")
            for name, member in library.EngineInvalidityDiagnostics.__members__.items()
            if int(diagnostics) & int(member)
        ]
        raise EngineError(f"the engine file cannot run on this GPU ({', '.join(reasons) or 'no reason given'})")


def _tensor_names(library: ModuleType, engine: Any) -> tuple[str, str]:  # noqa: ANN401
    """Return the names of the plan's input and output.

    Raises
    ------
    EngineError
        If it has not one of each.
    """
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    inputs = [n for n in names if engine.get_tensor_mode(n) == library.TensorIOMode.INPUT]
    outputs = [n for n in names if n not in inputs]
    if len(inputs) != 1 or len(outputs) != 1:
        raise EngineError(f"the engine file has tensors {names}: expected one input and one output; build it anew")
    return inputs[0], outputs[0]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
