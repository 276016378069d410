"""The training loop, readable from top to bottom; resumable to the bit in the order of its data."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.training.forward import mixed_precision
from recon.lab.training.heads import Heads
from recon.lab.training.loss import training_loss
from recon.lab.training.patches import cut_patch, draw_patch
from recon.lab.training.pool import FIRST_PASS, SECOND_PASS, Pool
from recon.lab.training.production import Producers, Production, snapshot_path, write_window
from recon.lab.training.state import State, TrainingArgs, cooled_down, learning_rate, save_state
from recon.lab.training.validation import validate
from recon.network.features import MASK_CHANNEL, NOISE_CHANNEL, start_map
from recon.network.weights import check_finite, save_weights

_AHEAD = 4
"""Heads that each process makes before they are needed."""
_SHARE_OF_THE_REST = 0.97
"""Of the time that is left, what a cool-down counts on."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run under way: where its files are, and what makes its heads."""

    folder: Path
    production: Production
    producers: Producers
    heads: Heads


@dataclass(frozen=True, kw_only=True)
class Pace:
    """When a run made its first step, and which."""

    begin: float
    first_step: int

    def cooling(self, state: State, end: float, say: Callable[[str], None]) -> TrainingArgs:
        """Return the run's settings with a cool-down that, at its pace so far, is over just before its end."""
        now = time.monotonic()
        steps_per_s = (state.step - self.first_step) / (now - self.begin)
        steps = max(1, round(_SHARE_OF_THE_REST * steps_per_s * (end - now)))
        say(f"step {state.step}: {steps_per_s:.2f} steps/s; the learning rate falls to zero over {steps} steps")
        return replace(state.args, cooldown_from=state.step, cooldown_steps=steps)


def _load_patch(args: TrainingArgs, step: int, item: int, heads: Heads) -> torch.Tensor:
    """Return one patch of a batch: features, target, weight."""
    plan = draw_patch(args, step, item)
    stack = heads.get(plan.head)
    channels = SECOND_PASS if plan.refined else FIRST_PASS
    return cut_patch(stack, plan, args.patch, (MASK_CHANNEL, NOISE_CHANNEL, len(channels) - 1), channels)


def train_step(state: State, heads: Heads) -> torch.Tensor:
    """Make one step and return its loss, which a GPU may still be computing."""
    args, step = state.args, state.step
    patch = torch.stack([_load_patch(args, step, item, heads) for item in range(args.batch)])
    features, target, weight = patch[:, :-2], patch[:, -2:-1], patch[:, -1:]
    features = features.to(memory_format=torch.channels_last_3d)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(args, step)
    with mixed_precision(heads.device):
        correction = state.network(features)
    loss = training_loss(correction.float() + start_map(features), target, weight)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimizer.step()
    keep = min(args.ema, (1 + step) / (10 + step))
    average_of = get_ema_multi_avg_fn(keep)  # type: ignore[no-untyped-call]
    average_of(list(state.average.parameters()), list(state.network.parameters()), 0)
    state.step += 1
    return loss.detach()


def train(
    state: State,
    folder: Path,
    seconds: float,
    say: Callable[[str], None],
    *,
    workers: int = 1,
    nice: int = 0,
    cool_down_seconds: float = 0.0,
    stop: threading.Event | None = None,
) -> State:
    """Train for some seconds of wall-clock time, saving state, log and pictures in ``folder``.

    Parameters
    ----------
    state
        Where to resume, on the device that trains; changed in place.
    folder
        Takes ``state.pt``, ``log.jsonl``, ``best.safetensors``, ``validation.png`` and the pool.
    seconds
        How long, not counting the validation before the first step of a new run and the one at the end.
    say
        Called with each line of progress.
    workers
        Processes that simulate heads.
    nice
        Added to the priority number of the trainer and of these.
    cool_down_seconds
        The learning rate falls to zero over so long at the end.
    stop
        Once set, the run ends after the current step, as if its time were over.
    """
    stop = stop or threading.Event()
    os.nice(nice)
    run = _begin(state, folder, say, workers, nice)
    losses: list[torch.Tensor] = []
    try:
        if state.best_nrmse == float("inf"):
            _check(state, run, [], say)
        pace = Pace(begin=time.monotonic(), first_step=state.step)
        end = pace.begin + seconds
        while (began := time.monotonic()) < end and not (stop.is_set() or cooled_down(state.args, state.step)):
            losses.append(train_step(state, run.heads))
            _after_step(state, run, losses, say)
            state.seconds += time.monotonic() - began
            if end - cool_down_seconds < time.monotonic() < end and not state.args.cooldown_steps:
                state.args = pace.cooling(state, end, say)
        _check(state, run, losses, say)
    finally:
        save_state(state, folder / "state.pt")
        run.producers.stop()
        run.heads.close()
    return state


def _begin(state: State, folder: Path, say: Callable[[str], None], workers: int, nice: int) -> Run:
    """Open the folders of a run and start the processes that make heads."""
    pool = Pool(folder=folder / "pool", purpose=Purpose.TRAINING)
    pool.folder.mkdir(parents=True, exist_ok=True)
    args, device = state.args, next(state.network.parameters()).device
    torch.backends.cudnn.benchmark = device.type == "cuda"
    production = Production(
        pool=pool,
        args=args,
        ahead=_AHEAD * workers,
        window=folder / "window",
        nice=nice,
        workers=workers,
        device=str(device),
    )
    write_window(production.window, args.oldest(state.step), args.newest(state.step))
    _save_snapshot(state, production)
    _replace_lost_snapshots(state, production, say)
    producers = Producers(production)
    heads = Heads(pool, device, producers.keep_working, resident=device.type == "cuda")
    return Run(folder=folder, production=production, producers=producers, heads=heads)


def _after_step(state: State, run: Run, losses: list[torch.Tensor], say: Callable[[str], None]) -> None:
    """Do what is due after a step: move the window of heads, report, keep the state, keep a snapshot, validate."""
    args = state.args
    if state.step % 20 == 0:
        oldest, newest = args.oldest(state.step), args.newest(state.step)
        write_window(run.production.window, oldest, newest)
        run.heads.move_window(oldest, newest)
    if state.step % args.tell_every == 0:
        say(f"step {state.step}: loss {_mean(losses[-args.tell_every :]):.4f}")
        save_state(state, run.folder / "state.pt")  # on a processor the next snapshot is hours away
    if state.step % args.snapshot_every == 0:
        _save_snapshot(state, run.production)
        save_state(state, run.folder / "state.pt")
    if state.step % args.validate_every == 0:
        _check(state, run, losses, say)
        losses.clear()


def _mean(losses: list[torch.Tensor]) -> float:
    """Return the mean loss; here a GPU is waited for."""
    return float(torch.stack(losses).mean()) if losses else 0.0


def _save_snapshot(state: State, production: Production) -> None:
    """Keep the averaged weights of a snapshot step, for the first pass over heads that are made ahead of need."""
    args, folder = state.args, production.pool.folder
    if (state.step - args.first_step) % args.snapshot_every:
        return
    path = snapshot_path(folder, state.step)
    if not path.exists():
        save_weights(state.average, path)
    kept = 3 + math.ceil(production.ahead * args.steps_per_head / args.snapshot_every)
    for old in sorted(folder.glob("snapshot-*.safetensors"))[:-kept]:
        old.unlink()


def _replace_lost_snapshots(state: State, production: Production, say: Callable[[str], None]) -> None:
    """Save the present weights in place of snapshots that the next heads need and that are gone."""
    args, step = state.args, state.step
    for head in range(args.oldest(step), args.newest(step) + production.ahead + 1):
        path = production.snapshot(head)
        due = int(path.stem.rsplit("-", 1)[1]) <= step
        if due and not path.exists() and not production.pool.path(head).exists():
            say(f"{path.name} is gone: the present weights take its place")
            save_weights(state.average, path)


def _check(state: State, run: Run, losses: list[torch.Tensor], say: Callable[[str], None]) -> None:
    """Validate the averaged network, log, and keep the best weights."""
    checks = replace(run.production.pool, purpose=Purpose.VALIDATION)
    figures = validate(state.average, checks, run.folder / "validation.png", run.producers.keep_working)
    line = {"step": state.step, "seconds": round(state.seconds), "loss": _mean(losses), **figures}
    with (run.folder / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    say(" ".join(f"{k} {v:.4g}" for k, v in line.items()))
    if figures["nrmse_percent"] < state.best_nrmse:
        state.best_nrmse = figures["nrmse_percent"]
        check_finite(state.average)
        save_weights(state.average, run.folder / "best.safetensors")
    save_state(state, run.folder / "state.pt")
