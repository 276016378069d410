"""Training: order of data, resuming, and that a step learns."""

import dataclasses
import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.training import production as making
from recon.lab.training import trainer
from recon.lab.training.heads import Heads
from recon.lab.training.loss import training_loss
from recon.lab.training.patches import PatchPlan, Schedule, cut_patch, draw_patch
from recon.lab.training.pool import FIRST_PASS, SECOND_PASS, Pool
from recon.lab.training.production import Producers, Production, read_window, write_window
from recon.lab.training.sample import _turned_islands
from recon.lab.training.state import (
    TrainingArgs,
    cooled_down,
    learning_rate,
    load_state,
    new_state,
    save_state,
    start_from,
)
from recon.lab.training.subjects import MAX_VOXELS, draw_scan, draw_subject
from recon.lab.training.trainer import Pace, train_step
from recon.network.features import CHANNELS, RESIDUAL_CHANNEL, START_CHANNEL
from recon.network.model import ModelConfig

ARGS = TrainingArgs(patch=16, warmup=1, learning_rate=2e-3)
CONFIG = ModelConfig(inputs=len(CHANNELS), widths=(8, 12), head_width=4)


@pytest.fixture
def pool(tmp_path):
    made = Pool(folder=tmp_path, purpose=Purpose.TRAINING)
    rng = np.random.default_rng(0)
    for head in range(ARGS.schedule.newest(20) + 1):
        stack = rng.normal(size=(len(CHANNELS) + 4, 20, 18, 14)).astype(np.float16)
        stack[-2] = stack[3] * 0.5 + stack[4]
        stack[-1] = 1
        np.save(made.path(head), stack)
    return made


def test_the_order_of_data_follows_from_seed_and_step():
    schedule = Schedule(first_head=5, steps_per_head=10, window=64)
    assert draw_patch(1, 77, 0, schedule) == draw_patch(1, 77, 0, schedule)
    assert draw_patch(1, 77, 0, schedule) != draw_patch(1, 78, 0, schedule)
    assert draw_patch(1, 77, 0, schedule) != draw_patch(1, 77, 1, schedule)
    heads = [draw_patch(1, step, 0, schedule).head for step in range(3000)]
    assert all(schedule.oldest(s) <= h <= schedule.newest(s) for s, h in enumerate(heads))


def test_a_patch_is_permuted_flipped_and_scaled():
    stack = np.arange(4 * 6 * 5 * 4, dtype=np.float16).reshape(4, 6, 5, 4)
    plan = PatchPlan(head=0, corner=(0, 0, 0), axes=(2, 0, 1), flips=(True, False, False), scale=-2.0)
    patch = cut_patch(torch.from_numpy(stack), plan, 4, constant_channels=(3,), channels=range(4))
    expected = stack[:, :4, :4, :4].astype(np.float32).transpose(0, 3, 1, 2)[:, ::-1]
    np.testing.assert_array_equal(patch[0], expected[0] * -2)
    np.testing.assert_array_equal(patch[3], expected[3])


def test_volumes_smaller_than_the_patch_are_padded():
    plan = PatchPlan(head=0, corner=(1, 1, 1), axes=(0, 1, 2), flips=(False,) * 3, scale=1.0)
    patch = cut_patch(torch.ones(2, 3, 8, 8, dtype=torch.float16), plan, 8, (), range(2))
    assert patch.shape == (2, 8, 8, 8)
    assert patch.sum() == 2 * 3 * 64


def test_resuming_gives_the_same_weights_to_the_bit(pool, tmp_path):
    torch.set_num_threads(1)
    heads = Heads(pool, torch.device("cpu"), resident=False)
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


def test_steps_learn(pool):
    state = new_state(ARGS, CONFIG)
    heads = Heads(pool, torch.device("cpu"), resident=False)
    losses = [float(train_step(state, heads)) for _ in range(20)]
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4])


def test_heads_that_stay_on_the_device_give_the_same_patches_and_leave_with_the_window(pool):
    mapped = Heads(pool, torch.device("cpu"), resident=False)
    resident = Heads(pool, torch.device("cpu"), resident=True)
    resident.move_window(0, 5)
    plans = [draw_patch(1, step, 0, ARGS.schedule) for step in range(20)]
    for plan in plans:
        ours, theirs = (cut_patch(h.get(plan.head), plan, 16, (1, 2), FIRST_PASS) for h in (resident, mapped))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    held = resident.get(3)
    assert resident.get(3) is held
    resident.move_window(4, 6)
    assert not pool.path(3).exists()
    with pytest.raises(RuntimeError, match="head 3"):
        resident.get(3)
    resident.close()


def test_the_error_of_a_region_s_mean_costs_more_than_noise_of_the_same_size():
    target, weight = torch.randn(1, 1, 16, 24, 18), torch.ones(1, 1, 16, 24, 18)
    shifted = training_loss(target + 0.1, target, weight)
    chequered = training_loss(target + 0.1 * (torch.arange(18) % 2 * 2 - 1), target, weight) - training_loss(
        target, target, weight
    )
    slopes = 0.2 / 3  # what the gradient error adds along the chequered axis, and the other axes do not
    assert shifted > 0.5
    assert chequered - slopes < shifted


def test_islands_inside_a_bleed_are_turned_whole_and_the_brain_never():
    noise = torch.full((20, 24, 28), 0.002)
    noise[4:10, 4:10, 4:10] = 1.0
    noise[6:8, 6:8, 6:8] = 0.002
    noise[15, 15, 15] = 1.0
    found = set()
    for seed in range(40):
        turns = _turned_islands(np.random.default_rng(seed), noise)
        island = turns[6:8, 6:8, 6:8]
        assert len(island.unique()) == 1
        assert turns.abs().sum() == island.abs().sum()
        found.add(float(island[0, 0, 0]))
    assert found == {-1.0, 0.0, 1.0}


def test_a_head_that_nobody_makes_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="head 9"):
        Pool(folder=tmp_path, purpose=Purpose.TRAINING).load(9)


def test_loss_counts_only_weighted_voxels_and_is_zero_for_the_truth():
    target = torch.randn(1, 1, 6, 5, 4)
    weight = (torch.rand(1, 1, 6, 5, 4) > 0.5).float()
    wrong_outside = target + (1 - weight) * 5
    assert training_loss(wrong_outside, target, weight) == pytest.approx(0.0, abs=0.02)
    assert training_loss(0.5 * target, target, weight) > 0.3


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


def test_a_head_s_first_pass_comes_from_a_snapshot_that_is_older_than_the_head():
    schedule = Schedule(first_head=100, first_step=40, steps_per_head=10)
    production = Production(
        pool=Pool(folder=Path("pool"), purpose=Purpose.TRAINING),
        schedule=schedule,
        ahead=4,
        snapshot_every=50,
        window=Path("window"),
        nice=0,
    )
    for head in range(100, 160):
        made_from = 40 if head <= schedule.newest(40) + 4 else schedule.first_use(head) - 40
        step = int(production.snapshot(head).stem.rsplit("-", 1)[1])
        assert step <= made_from
        assert (step - 40) % 50 == 0
    assert production.snapshot(159) != production.snapshot(100)
    assert all(schedule.newest(schedule.first_use(head)) >= head for head in range(100, 160))


def test_heads_of_an_earlier_run_are_not_waited_for_though_their_snapshot_is_gone(tmp_path):
    production = Production(
        pool=Pool(folder=tmp_path, purpose=Purpose.TRAINING),
        schedule=Schedule(first_head=100, first_step=40, steps_per_head=10),
        ahead=4,
        snapshot_every=50,
        window=tmp_path / "window",
        nice=0,
    )
    assert not production.can_make(103)
    production.pool.path(103).touch()
    assert production.can_make(103)
    assert not production.can_make(104)
    production.snapshot(104).touch()
    assert production.can_make(104)


def test_the_second_pass_takes_the_refined_channels():
    stack = np.arange(len(CHANNELS) + 4)
    first, second = stack[list(FIRST_PASS)], stack[list(SECOND_PASS)]
    assert list(np.flatnonzero(first != second)) == [START_CHANNEL, RESIDUAL_CHANNEL]
    assert list(second[[START_CHANNEL, RESIDUAL_CHANNEL]]) == [len(CHANNELS), len(CHANNELS) + 1]
    assert list(first[-2:]) == list(second[-2:]) == [len(CHANNELS) + 2, len(CHANNELS) + 3]
    plans = [draw_patch(1, step, 0, Schedule()) for step in range(200)]
    assert 0.45 < np.mean([plan.refined for plan in plans]) < 0.75


@pytest.mark.parametrize("seed", range(12))
def test_subjects_fit_in_memory_and_are_scans(seed):
    subject = draw_subject(generator(Purpose.TRAINING, seed))
    assert np.prod(subject.scan.shape) <= MAX_VOXELS
    assert np.linalg.norm(subject.scan.b0_direction) == pytest.approx(1.0)
    assert subject.scan.echo_times_s == tuple(sorted(subject.scan.echo_times_s))


def test_heads_lie_in_the_magnet_in_every_direction():
    tilts_deg = [
        np.degrees(np.arccos(abs(draw_scan(generator(Purpose.TRAINING, seed)).b0_head[2]))) for seed in range(400)
    ]
    # Of 40 % that lie anyhow, cos 30° are beyond 30°, cos 60° beyond 60°.
    assert 0.24 < np.mean(np.greater(tilts_deg, 30)) < 0.46
    assert 0.12 < np.mean(np.greater(tilts_deg, 60)) < 0.30


def test_a_new_run_takes_the_rate_and_the_heads_that_it_is_given(tmp_path):
    state = start_from(new_state(ARGS, CONFIG).network, dataclasses.replace(ARGS, first_head=70))
    assert state.args.learning_rate == ARGS.learning_rate
    assert state.args.schedule.oldest(0) == 70
    assert state.network.config.passes == 2


@pytest.fixture
def production(tmp_path):
    write_window(tmp_path / "window", 0, 0)
    return Production(
        pool=Pool(folder=tmp_path, purpose=Purpose.TRAINING),
        schedule=Schedule(),
        ahead=4,
        snapshot_every=50,
        window=tmp_path / "window",
        nice=0,
        device="cuda",
    )


def test_a_head_that_the_gpu_fails_at_is_made_on_the_cpu_and_one_that_cannot_be_made_gives_its_place(
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


def test_a_simulating_process_that_dies_is_started_again_but_not_for_ever(production, monkeypatch, caplog):
    monkeypatch.setattr(making, "get_context", lambda kind: type("Context", (), {"Process": Dying}))
    producers = Producers(production)
    producers.keep_working()
    assert Dying.started == 2
    assert "died with code -9: started again" in caplog.text
    with pytest.raises(RuntimeError, match="keep dying, at last with code -9"):
        [producers.keep_working() for _ in range(100)]


def test_a_cool_down_fits_the_time_that_is_left(monkeypatch):
    state = new_state(ARGS, CONFIG)
    state.step = 1000
    monkeypatch.setattr("recon.lab.training.trainer.time.monotonic", lambda: 500.0)
    args = Pace(begin=400.0, first_step=0).cooling(state, 600.0, lambda line: None)
    assert args.cooldown_from == 1000
    assert args.cooldown_steps == 970


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
    monkeypatch.setattr(making, "_settle", lambda production, worker: None)
    monkeypatch.setattr(making, "HEADS", ())
    monkeypatch.setattr(making.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(making.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(Production, "can_make", lambda self, head: True)
    monkeypatch.setattr(making, "_make", lambda production, index: made.append(index))
    making._produce(dataclasses.replace(production, workers=4), 1)
    assert made == [33, 37]


def test_a_head_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("recon.lab.training.pool.PATIENCE_S", 0.0)
    monkeypatch.setattr("recon.lab.training.pool.POLL_S", 0.0)
    makers = type("Makers", (), {"keep_working": lambda self: None})()
    with pytest.raises(RuntimeError, match="in vain"):
        Pool(folder=tmp_path, purpose=Purpose.TRAINING).load(9, makers)


class Ready:
    """Processes that need not make anything."""

    def __init__(self, production):
        del production

    def keep_working(self):
        raise AssertionError("all heads are there")

    def stop(self):
        pass


@pytest.mark.parametrize(("cool_down_s", "cooled"), [(0.0, False), (2.0, True)])
def test_a_run_cools_down_only_if_asked_and_keeps_its_state(pool, tmp_path, monkeypatch, cool_down_s, cooled):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "pool").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.setattr(trainer, "Producers", Ready)
    monkeypatch.setattr(trainer, "validate", lambda *ignored: {"nrmse_percent": 50.0})
    state = new_state(dataclasses.replace(ARGS, steps_per_head=1000), CONFIG)
    trained = trainer.train(state, folder, 2.0, lambda line: None, trainer.Crew(), cool_down_s)
    assert trained.step > 0
    assert bool(trained.args.cooldown_steps) is cooled
    kept = load_state(folder / "state.pt")
    assert kept.step == trained.step
    assert kept.args == trained.args
