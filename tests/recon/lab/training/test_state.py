"""Settings of a run: its learning rate, and what a new run takes from trained weights."""

import pytest

from recon.lab.training import state as states
from recon.lab.training.state import (
    TrainingArgs,
    cooled_down,
    learning_rate,
    load_state,
    new_state,
    save_state,
    start_from,
)
from recon.network.model import ModelConfig


def test_learning_rate_warms_up_holds_and_falls():
    args = TrainingArgs(warmup=10, decay_from=100, learning_rate=1.0)
    assert learning_rate(args, 0) == pytest.approx(0.1)
    assert learning_rate(args, 50) == 1.0
    assert learning_rate(args, 400) == pytest.approx(0.5)


def test_a_cool_down_falls_to_zero_and_ends_the_run():
    args = TrainingArgs(warmup=10, decay_from=1000, learning_rate=1.0, cooldown_from=100, cooldown_steps=50)
    assert learning_rate(args, 99) == 1.0
    assert learning_rate(args, 125) == pytest.approx(0.5)
    assert learning_rate(args, 151) == 0.0
    assert [cooled_down(args, step) for step in (100, 149, 150)] == [False, False, True]
    assert not cooled_down(TrainingArgs(), 10_000)


def test_a_new_run_keeps_the_rate_and_the_heads_that_it_is_given():
    args = TrainingArgs(learning_rate=2e-3, first_head=70)
    state = start_from(new_state(args, ModelConfig(widths=(8, 12), head_width=4)).network, args)
    assert state.args.learning_rate == 2e-3
    assert state.args.oldest(0) == 70
    assert state.network.config.passes == 2


def test_the_best_of_a_run_counts_only_on_heads_of_the_same_recipe(tmp_path, monkeypatch):
    state = new_state(TrainingArgs(), ModelConfig(widths=(8, 12), head_width=4))
    state.step, state.best_nrmse = 7, 40.0
    save_state(state, tmp_path / "state.pt")
    assert load_state(tmp_path / "state.pt").best_nrmse == 40.0
    monkeypatch.setattr(states, "RECIPE", states.RECIPE + 1)
    resumed = load_state(tmp_path / "state.pt")
    assert resumed.best_nrmse == float("inf")
    assert resumed.step == 7
