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

from recon.engines.base import Description, Shape, import_library
from recon.engines.engine_file import EngineFile, write_whole
from recon.engines.folders import cache_folder
from recon.engines.gpu import Gpu, find_gpu
from recon.engines.tensorrt import ahead_of_time, torch_tensorrt
from recon.errors import EngineError
from recon.network.weights import TrainedNetwork
from recon.options import EngineRow

_FILES: dict[str, Callable[[TrainedNetwork, Gpu], EngineFile]] = {
    ahead_of_time.NAME: ahead_of_time.find_file,
    torch_tensorrt.NAME: torch_tensorrt.build,
}
"""Where the engine file of each row comes from."""


class TensorRtEngine:
    """An engine file on a GPU.

    Parameters
    ----------
    library
        ``tensorrt`` or ``tensorrt_rtx``.
    file
        Read and compared with its manifest.
    gpu
        Where.
    kernel_cache
        File that keeps what TensorRT-RTX compiles for this GPU, so that it is compiled once; None for no such file.

    Raises
    ------
    EngineError
        If the library does not take the plan.
    """

    def __init__(self, library: ModuleType, file: EngineFile, gpu: Gpu, kernel_cache: Path | None = None) -> None:
        self._manifest, self._gpu = file.manifest, gpu
        self._lock, self._kernel_cache = threading.Lock(), kernel_cache
        self._logger = library.Logger(library.Logger.ERROR)
        runtime = library.Runtime(self._logger)
        _refuse_invalid(library, runtime, file.plan)
        engine = runtime.deserialize_cuda_engine(file.plan)
        if engine is None:
            raise EngineError("TensorRT did not accept the engine file on this GPU; build it again")
        # The logger must outlive the runtime, the runtime its engine, the engine its context.
        self._runtime, self._engine = runtime, engine
        self._cache: Any = None
        self._context = self._new_context(library)
        self._input, self._output = _tensor_names(library, engine)

    @property
    def device(self) -> torch.device:
        """The GPU."""
        return self._gpu.device

    @property
    def largest(self) -> Shape:
        """As the engine was built."""
        return self._manifest.profile.largest

    def describe(self) -> Description:
        """Say what it is."""
        return Description(engine=self._manifest.engine, precision=self._manifest.precision, device=self._gpu.name)

    def run(self, features: torch.Tensor) -> torch.Tensor:
        """Run the plan; see :class:`recon.engines.base.Engine`."""
        with self._lock:
            return self._run(features.contiguous())

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


def load(trained: TrainedNetwork, row: EngineRow) -> TensorRtEngine:
    """Load the engine file of these weights and this GPU, and let it compile its kernels on a small volume.

    Raises
    ------
    EngineAbsentError
        If there is no GPU, no library or no engine file.
    EngineError
        If the file is damaged or does not fit, or the GPU cannot be used.
    """
    gpu = find_gpu()
    file = _FILES[row.name](trained, gpu)
    kernels = cache_folder("kernels")
    engine = TensorRtEngine(
        import_library(file.manifest.library), file, gpu, kernels and kernels / f"{file.manifest.name}.kernels"
    )
    channels, stride = trained.network.config.inputs, trained.network.config.stride
    engine.run(torch.zeros(1, channels, 2 * stride, 2 * stride, 2 * stride, device=gpu.device))
    engine.save_kernels()
    return engine


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
        If it does not have exactly one of each.
    """
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    inputs = [n for n in names if engine.get_tensor_mode(n) == library.TensorIOMode.INPUT]
    outputs = [n for n in names if n not in inputs]
    if len(inputs) != 1 or len(outputs) != 1:
        raise EngineError(f"the engine file has tensors {names}: expected one input and one output; build it again")
    return inputs[0], outputs[0]
