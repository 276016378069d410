"""Simulated heads where the trainer cuts its patches: mapped from disk for a CPU, resident on a GPU."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch

from recon.lab.training.pool import Makers, Pool

_CARRIERS = 2


class Heads:
    """The pool as the trainer sees it.

    Parameters
    ----------
    pool
        Files of the heads.
    device
        Where patches are cut.
    makers
        Who makes heads: without them a missing one is an error.
    resident
        Whether to keep every head of the window on the device, so that a patch costs no transfer; else a head is mapped
        from its file whenever it is asked for.
    """

    def __init__(self, pool: Pool, device: torch.device, makers: Makers | None = None, *, resident: bool) -> None:
        self.device = device
        self._pool, self._makers, self._resident = pool, makers, resident
        self._held: dict[int, Future[torch.Tensor]] = {}
        self._carriers = ThreadPoolExecutor(_CARRIERS, thread_name_prefix="heads")

    def get(self, index: int) -> torch.Tensor:
        """Return head ``index``, ``(stored channel, x, y, z)`` float16, waiting for it while somebody makes it.

        Raises
        ------
        RuntimeError
            If it is not there and nobody is making it.
        """
        return self._fetch(index).result() if self._resident else self._load(index)

    def move_window(self, oldest: int, newest: int) -> None:
        """Let go of heads before ``oldest``, and begin to carry over those up to ``newest``."""
        self._pool.drop_before(oldest)
        if not self._resident:
            return
        for index in [index for index in self._held if index < oldest]:
            self._held.pop(index).cancel()
        for index in range(oldest, newest + 1):
            self._fetch(index)

    def close(self) -> None:
        """Carry no more."""
        self._carriers.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, index: int) -> Future[torch.Tensor]:
        if index not in self._held:
            self._held[index] = self._carriers.submit(self._load, index)
        return self._held[index]

    def _load(self, index: int) -> torch.Tensor:
        return torch.from_numpy(self._pool.load(index, self._makers)).to(self.device)
