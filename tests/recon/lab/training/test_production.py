"""The processes that simulate heads: which they make, from which snapshot, and what happens when they fail."""

import dataclasses
import itertools
import threading

import pytest

from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.training import production as making
from recon.lab.training.pool import Pool
from recon.lab.training.production import Producers, Production, read_window, write_window
from recon.lab.training.state import TrainingArgs

ARGS = TrainingArgs(first_head=100, first_step=40, steps_per_head=10, snapshot_every=50)


@pytest.fixture
def production(tmp_path):
    write_window(tmp_path / "window", 0, 0)
    pool = Pool(folder=tmp_path, purpose=Purpose.TRAINING)
    return Production(pool=pool, args=ARGS, ahead=4, window=tmp_path / "window", nice=0, workers=1, device="cuda")


def test_the_first_pass_over_a_head_comes_from_a_snapshot_that_is_older_than_the_head(production):
    for head in range(100, 160):
        made_from = 40 if head <= ARGS.newest(40) + 4 else ARGS.first_use(head) - 40
        step = int(production.snapshot(head).stem.rsplit("-", 1)[1])
        assert step <= made_from
        assert (step - 40) % 50 == 0
    assert production.snapshot(159) != production.snapshot(100)
    assert all(ARGS.newest(ARGS.first_use(head)) >= head for head in range(100, 160))


def test_heads_of_an_earlier_run_are_used_though_their_snapshot_is_gone(production):
    assert not production.can_make(103)
    production.pool.path(103).touch()
    assert production.can_make(103)
    assert not production.can_make(104)
    production.snapshot(104).touch()
    assert production.can_make(104)


def test_a_head_that_the_gpu_fails_at_is_made_on_the_cpu_and_one_that_cannot_be_made_is_substituted(
    production, monkeypatch
):
    asked = []

    def make(pool, index, snapshot, device, *, substitute):
        asked.append((index, device, substitute))
        if device == "cuda" or (index == 8 and not substitute):
            raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(Pool, "make", make)
    making._make(production, 7)
    assert asked == [(7, "cuda", 0), (7, "cpu", 0)]
    making._make(production, 8)
    assert [(device, substitute > 0) for _, device, substitute in asked[2:]] == [
        ("cuda", False),
        ("cpu", False),
        ("cpu", True),
    ]


class Dying:
    """A process that is dead as soon as it is started."""

    exitcode = -9

    def __init__(self, **how):
        del how

    def start(self):
        Dying.started = getattr(Dying, "started", 0) + 1

    def is_alive(self):
        return False

    def terminate(self):
        pass


def test_a_simulating_process_that_dies_is_started_again_but_not_forever(production, monkeypatch, caplog):
    monkeypatch.setattr(making, "get_context", lambda kind: type("Context", (), {"Process": Dying}))
    producers = Producers(production)
    producers.keep_working()
    assert Dying.started == 2
    assert "died with code -9: started again" in caplog.text
    with pytest.raises(RuntimeError, match="keep dying, at last with code -9"):
        [producers.keep_working() for _ in range(100)]


def test_the_window_of_heads_is_never_read_half_written(tmp_path):
    path = tmp_path / "window"
    write_window(path, 0, 1)
    stop = threading.Event()

    def write():
        for step in itertools.count():
            if stop.is_set():
                return
            write_window(path, step, 2 * step)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        read = [read_window(path) for _ in range(3000)]
    finally:
        stop.set()
        writer.join()
    assert all(newest in (2 * oldest, 1) for oldest, newest in read)
    assert len(set(read)) > 1


def test_a_process_that_begins_late_leaves_out_heads_that_are_no_longer_wanted(production, monkeypatch):
    write_window(production.window, 30, 33)
    made = []
    parents = iter([1] * 8 + [2] * 8)
    monkeypatch.setattr(making, "_limit", lambda production, worker: None)
    monkeypatch.setattr(making, "HEADS", ())
    monkeypatch.setattr(making.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(making.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(Production, "can_make", lambda self, head: True)
    monkeypatch.setattr(making, "_make", lambda production, index: made.append(index))
    making._produce(dataclasses.replace(production, workers=4), 1)
    assert made == [33, 37]
