"""TensorRT's Python interface as far as the product uses it, on the host's memory.

The plan is the name of a network in ``NETWORKS``; running it reads the input and writes the output through the raw
addresses that it was given, as the real library does through device pointers.
"""

import ctypes
from enum import Enum, IntFlag
from typing import ClassVar

import numpy as np
import torch

NETWORKS = {}
"""What plans stand for, by name."""


class Logger:
    ERROR = 2

    def __init__(self, _level):
        pass


class TensorIOMode(Enum):
    INPUT = 1
    OUTPUT = 2


class ExecutionContextAllocationStrategy(Enum):
    USER_MANAGED = 2


class EngineValidity(Enum):
    VALID = 0
    INVALID = 2


class EngineInvalidityDiagnostics(IntFlag):
    UNSUPPORTED_CC = 2
    MALFORMED_ENGINE = 64


class Cache:
    def __init__(self):
        self.content = b""

    def deserialize(self, blob):
        self.content = blob
        return True

    def serialize(self):
        return self.content or b"kernels"


class Config:
    def __init__(self):
        self.strategy = self.cache = None

    def set_execution_context_allocation_strategy(self, strategy):
        self.strategy = strategy

    def create_runtime_cache(self):
        return Cache()

    def set_runtime_cache(self, cache):
        self.cache = cache


class Context:
    """Runs the network; ``fails`` is raised instead, once for each entry."""

    fails: ClassVar[list[Exception]] = []

    def __init__(self, network, config):
        assert config.strategy is ExecutionContextAllocationStrategy.USER_MANAGED
        self.network, self.addresses, self.memory = network, {}, (0, 0)

    def set_input_shape(self, name, shape):
        assert name == "features"
        self.shape = shape
        return max(shape[2:]) <= 64

    def update_device_memory_size_for_shapes(self):
        return 1000

    def set_device_memory(self, address, size):
        self.memory = (address, size)

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        assert stream == 17
        assert self.memory[0] != 0
        assert self.memory[1] == 1000
        if Context.fails:
            raise Context.fails.pop(0)
        features = torch.from_numpy(self._array("features", self.shape).copy())
        with torch.inference_mode():
            self._array("correction", (1, 1, *self.shape[2:]))[...] = self.network(features).numpy()
        return True

    def _array(self, name, shape):
        pointer = ctypes.cast(self.addresses[name], ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(pointer, shape)


class CudaEngine:
    num_io_tensors = 2

    def __init__(self, network):
        self.network = network

    def get_tensor_name(self, index):
        return ("features", "correction")[index]

    def get_tensor_mode(self, name):
        return TensorIOMode.INPUT if name == "features" else TensorIOMode.OUTPUT

    def create_runtime_config(self):
        return Config()

    def create_execution_context(self, config):
        return Context(self.network, config)


class Runtime:
    def __init__(self, _logger):
        pass

    def get_engine_validity(self, plan):
        if bytes(plan) == b"for another GPU":
            return EngineValidity.INVALID, EngineInvalidityDiagnostics.UNSUPPORTED_CC
        return EngineValidity.VALID, 0

    def deserialize_cuda_engine(self, plan):
        network = NETWORKS.get(bytes(plan).decode())
        return None if network is None else CudaEngine(network)
