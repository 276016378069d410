"""Heads on disk and on the device: the same patches, and no waiting without end."""

import pytest
import torch

from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.training.heads import Heads
from recon.lab.training.patches import cut_patch, draw_patch
from recon.lab.training.pool import FIRST_PASS, Pool
from recon.lab.training.state import TrainingArgs


def nobody():
    """Stand for processes that cannot make another head."""
    raise RuntimeError("no process makes heads")


def test_heads_that_stay_on_the_device_give_the_same_patches_and_leave_with_the_window(pool):
    mapped = Heads(pool, torch.device("cpu"), nobody, resident=False)
    resident = Heads(pool, torch.device("cpu"), nobody, resident=True)
    resident.move_window(0, 5)
    plans = [draw_patch(TrainingArgs(), step, 0) for step in range(20)]
    for plan in plans:
        ours, theirs = (cut_patch(h.get(plan.head), plan, 16, (1, 2), FIRST_PASS) for h in (resident, mapped))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    held = resident.get(3)
    assert resident.get(3) is held
    resident.move_window(4, 6)
    assert not pool.path(3).exists()
    with pytest.raises(RuntimeError, match="no process"):
        resident.get(3)
    resident.close()


def test_waiting_for_a_head_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("recon.lab.training.pool.PATIENCE_S", 0.0)
    monkeypatch.setattr("recon.lab.training.pool.POLL_S", 0.0)
    with pytest.raises(RuntimeError, match="head 9 was not made within 0 s"):
        Pool(folder=tmp_path, purpose=Purpose.TRAINING).load(9, lambda: None)


def test_waiting_for_a_head_fails_with_the_processes_that_make_it(tmp_path):
    with pytest.raises(RuntimeError, match="no process"):
        Pool(folder=tmp_path, purpose=Purpose.TRAINING).load(9, nobody)
