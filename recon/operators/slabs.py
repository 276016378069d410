"""Run a compiled kernel on all cores, one slab of the first axis per thread.

Kernels release the GIL (``nogil=True``), so plain threads suffice. Numba's own thread pool is avoided: its fallback
layer aborts the process when two threads of a service start kernels at the same moment.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile with numba, keep the machine code on disk where that can be, and run without the GIL."""
    try:
        return cast(Callable[P, R], numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # read-only disk, no home: compiled again by each process
        return cast(Callable[P, R], numba.njit(nogil=True, error_model="numpy")(function))


def in_slabs(kernel: Callable[..., None], length: int, *arguments: object) -> None:
    """Call ``kernel(start, stop, *arguments)`` on ranges that cover ``0..length``, in parallel.

    The kernel is compiled, and writes only what belongs to its range.
    """
    workers = max(1, min(len(os.sched_getaffinity(0)), length))
    # Twice as many slabs as threads even out a head that fills only a part of the field of view.
    pieces = min(2 * workers, length)
    edges = [length * i // pieces for i in range(pieces + 1)]
    if workers == 1:
        kernel(0, length, *arguments)
        return
    jobs = [_threads(workers).submit(kernel, a, b, *arguments) for a, b in pairwise(edges)]
    for job in jobs:
        job.result()


@lru_cache
def _threads(workers: int) -> ThreadPoolExecutor:
    """Return threads that stay: a relaxation calls a kernel hundreds of times, each for a millisecond."""
    return ThreadPoolExecutor(workers, thread_name_prefix="slabs")


# Threads do not survive a fork; the child starts its own.
os.register_at_fork(after_in_child=_threads.cache_clear)
