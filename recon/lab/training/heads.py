"""Simulated heads where the trainer cuts its patches: mapped from disk for a CPU, resident on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from recon.lab.training.pool import Pool

_LOADERS = 2


class Heads:
    """The pool as the trainer sees it.

    Parameters
    ----------
    pool
        Files of the heads.
    device
        Where patches are cut.
    keep_working
        As for :meth:`recon.lab.training.pool.Pool.load`.
    resident
        Whether to keep every head of the window on the device, so that a patch costs no transfer; else a head is mapped
        from its file whenever it is asked for.
    """

    def __init__(self, pool: Pool, device: torch.device, keep_working: Callable[[], None], *, resident: bool) -> None:
        self.device = device
        self._pool, self._keep_working, self._resident = pool, keep_working, resident
        self._held: dict[int, Future[torch.Tensor]] = {}
        self._loaders = ThreadPoolExecutor(_LOADERS, thread_name_prefix="heads")

    def get(self, index: int) -> torch.Tensor:
        """Return head ``index``, ``(stored channel, x, y, z)`` float16, waiting until it is made."""
        return self._fetch(index).result() if self._resident else self._load(index)

    def move_window(self, oldest: int, newest: int) -> None:
        """Drop heads before ``oldest``, and begin to load those up to ``newest``."""
        self._pool.drop_before(oldest)
        if not self._resident:
            return
        for index in [index for index in self._held if index < oldest]:
            self._held.pop(index).cancel()
        for index in range(oldest, newest + 1):
            self._fetch(index)

    def close(self) -> None:
        """Stop loading."""
        self._loaders.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, index: int) -> Future[torch.Tensor]:
        if index not in self._held:
            self._held[index] = self._loaders.submit(self._load, index)
        return self._held[index]

    def _load(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self._pool.load(index, self._keep_working)).to(self.device)
