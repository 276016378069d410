"""The training loop: that a step learns, that a run resumes to the bit, and its cool-down."""

import dataclasses

import numpy as np
import pytest
import torch

from recon.lab.training import trainer
from recon.lab.training.heads import Heads
from recon.lab.training.state import TrainingArgs, load_state, new_state, save_state
from recon.lab.training.trainer import Pace, train_step
from recon.network.model import ModelConfig

ARGS = TrainingArgs(patch=16, warmup=1, learning_rate=2e-3)
CONFIG = ModelConfig(widths=(8, 12), head_width=4)


@pytest.fixture
def heads(pool):
    return Heads(pool, torch.device("cpu"), Ready.keep_working, resident=False)


class Ready:
    """Processes that need not make anything."""

    def __init__(self, production):
        del production

    @staticmethod
    def keep_working():
        raise AssertionError("all heads are there")

    def stop(self):
        pass


def test_resuming_gives_the_same_weights_to_the_bit(heads, tmp_path):
    torch.set_num_threads(1)
    through = new_state(ARGS, CONFIG)
    for _ in range(4):
        train_step(through, heads)
    halved = new_state(ARGS, CONFIG)
    for _ in range(2):
        train_step(halved, heads)
    save_state(halved, tmp_path / "state.pt")
    resumed = load_state(tmp_path / "state.pt")
    for _ in range(2):
        train_step(resumed, heads)
    assert resumed.step == through.step
    for a, b in zip(through.network.parameters(), resumed.network.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_steps_learn(heads):
    state = new_state(ARGS, CONFIG)
    losses = [float(train_step(state, heads)) for _ in range(20)]
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4])


def test_a_cool_down_fits_the_time_that_is_left(monkeypatch):
    state = new_state(ARGS, CONFIG)
    state.step = 1000
    monkeypatch.setattr("recon.lab.training.trainer.time.monotonic", lambda: 500.0)
    args = Pace(begin=400.0, first_step=0).cooling(state, 600.0, lambda line: None)
    assert args.cooldown_from == 1000
    assert args.cooldown_steps == 970


@pytest.mark.parametrize(("cool_down_s", "cooled"), [(0.0, False), (2.0, True)])
def test_a_run_cools_down_only_if_asked_and_keeps_its_state(pool, tmp_path, monkeypatch, cool_down_s, cooled):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "pool").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.setattr(trainer, "Producers", Ready)
    monkeypatch.setattr(trainer, "validate", lambda *ignored: {"nrmse_percent": 50.0})
    state = new_state(dataclasses.replace(ARGS, steps_per_head=1000), CONFIG)
    trained = trainer.train(state, folder, 2.0, lambda line: None, cool_down_seconds=cool_down_s)
    assert trained.step > 0
    assert bool(trained.args.cooldown_steps) is cooled
    kept = load_state(folder / "state.pt")
    assert kept.step == trained.step
    assert kept.args == trained.args


def test_a_run_that_is_killed_between_snapshots_resumes_from_what_it_last_reported(pool, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "pool").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.setattr(trainer, "Producers", Ready)
    state, kept = new_state(dataclasses.replace(ARGS, steps_per_head=1000, tell_every=2), CONFIG), []

    def step(state, heads):
        if state.step == 5:
            kept.append(load_state(folder / "state.pt").step)  # what a kill would leave now
            raise KeyboardInterrupt
        return train_step(state, heads)

    monkeypatch.setattr(trainer, "train_step", step)
    monkeypatch.setattr(trainer, "validate", lambda *ignored: {"nrmse_percent": 50.0})
    with pytest.raises(KeyboardInterrupt):
        trainer.train(state, folder, 600.0, lambda line: None)
    assert kept == [4]
