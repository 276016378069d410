"""The training loop, readable from top to bottom; resumable to the bit in the order of its data."""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from recon.network.features import MASK_CHANNEL, NOISE_CHANNEL, start_map
from recon.network.model import ModelConfig, TotalFieldNetwork
from recon.network.weights import check_finite, save_weights
from recon.simulation.seeds import Purpose
from recon.training.loss import training_loss
from recon.training.patches import Schedule, cut_patch, draw_patch
from recon.training.pool import FIRST_PASS, SECOND_PASS, Pool, Production, snapshot_path, start_producer
from recon.training.validation import Validation, validate

_AHEAD = 4
"""Heads made before they are needed."""


@dataclass(frozen=True, kw_only=True)
class TrainingArgs:
    """Settings of a run; kept inside its checkpoint.

    Parameters
    ----------
    seed
        Of the order of patches.
    first_head, first_step
        Number of the first training head, and the step that began with it.
    steps_per_head, window
        As in :class:`recon.training.patches.Schedule`.
    patch, batch
        Edge of a patch in voxels, and patches per step, each of a head of its own.
    learning_rate
        Peak, reached after ``warmup`` steps; falls with the inverse root after ``decay_from``.
    ema
        Share of the old average kept at every step.
    validate_every
        Steps between validations, and between the snapshots that the second pass is trained on.
    cooldown_from, cooldown_steps
        From this step on the learning rate falls in a straight line to zero; no steps, no cool-down.
    """

    seed: int = 1
    first_head: int = 0
    first_step: int = 0
    steps_per_head: int = 40
    window: int = 64
    patch: int = 64
    batch: int = 2
    learning_rate: float = 5e-4
    warmup: int = 200
    decay_from: int = 3000
    ema: float = 0.998
    validate_every: int = 800
    cooldown_from: int = 0
    cooldown_steps: int = 0

    @property
    def schedule(self) -> Schedule:
        """Which heads a step may use."""
        return Schedule(
            first_head=self.first_head,
            first_step=self.first_step,
            steps_per_head=self.steps_per_head,
            window=self.window,
        )


@dataclass(kw_only=True)
class State:
    """Everything that a run needs to go on."""

    args: TrainingArgs
    network: TotalFieldNetwork
    average: TotalFieldNetwork
    optimizer: torch.optim.Optimizer
    step: int = 0
    best_nrmse: float = float("inf")
    seconds: float = 0.0


def new_state(args: TrainingArgs, config: ModelConfig) -> State:
    """Start a run."""
    torch.manual_seed(args.seed)
    network = TotalFieldNetwork(config).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=args.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    return State(args=args, network=network, average=copy.deepcopy(network), optimizer=optimizer)


def start_from(network: TotalFieldNetwork, args: TrainingArgs) -> State:
    """Start a run from trained weights; the optimiser and the order of data begin anew, and two passes are trained."""
    state = new_state(replace(args, learning_rate=args.learning_rate / 2), replace(network.config, passes=2))
    state.network.load_state_dict(network.state_dict())
    state.average.load_state_dict(network.state_dict())
    return state


def save_state(state: State, path: Path) -> None:
    """Write the checkpoint atomically."""
    partial = path.with_suffix(".part")
    torch.save(
        {
            "args": asdict(state.args),
            "config": state.network.config.to_metadata(),
            "network": state.network.state_dict(),
            "average": state.average.state_dict(),
            "optimizer": state.optimizer.state_dict(),
            "step": state.step,
            "best_nrmse": state.best_nrmse,
            "seconds": state.seconds,
        },
        partial,
    )
    partial.replace(path)


def load_state(path: Path) -> State:
    """Read a checkpoint; tensors and plain values only, so that it cannot run code."""
    stored = torch.load(path, weights_only=True, map_location="cpu")
    state = new_state(TrainingArgs(**stored["args"]), ModelConfig.from_metadata(stored["config"]))
    state.network.load_state_dict(stored["network"])
    state.average.load_state_dict(stored["average"])
    state.optimizer.load_state_dict(stored["optimizer"])
    state.step, state.best_nrmse = stored["step"], stored["best_nrmse"]
    state.seconds = stored["seconds"]
    return state


def learning_rate(args: TrainingArgs, step: int) -> float:
    """Return the learning rate: linear warm-up, constant, inverse root, and linear to zero in a cool-down."""
    if step < args.warmup:
        return args.learning_rate * (step + 1) / args.warmup
    rate = args.learning_rate * min(1.0, float((args.decay_from / step) ** 0.5))
    if args.cooldown_steps:
        rate *= min(1.0, max(0.0, 1.0 - (step - args.cooldown_from) / args.cooldown_steps))
    return rate


def cooled_down(args: TrainingArgs, step: int) -> bool:
    """Return whether a cool-down has come to its end: further steps would change nothing."""
    return bool(args.cooldown_steps) and step >= args.cooldown_from + args.cooldown_steps


def _load_patch(args: TrainingArgs, step: int, item: int, pool: Pool, producer: BaseProcess | None) -> torch.Tensor:
    """Return one patch of a batch: features, target, weight."""
    plan = draw_patch(args.seed, step, item, args.schedule)
    stack = pool.load(plan.head, producer)
    channels = SECOND_PASS if plan.refined else FIRST_PASS
    return cut_patch(stack, plan, args.patch, (MASK_CHANNEL, NOISE_CHANNEL, len(channels) - 1), channels)


def train_step(state: State, pool: Pool, producer: BaseProcess | None, device: torch.device) -> float:
    """Make one step and return its loss."""
    args, step = state.args, state.step
    patch = torch.stack([_load_patch(args, step, item, pool, producer) for item in range(args.batch)]).to(device)
    features, target, weight = patch[:, :-2], patch[:, -2:-1], patch[:, -1:]
    features = features.to(memory_format=torch.channels_last_3d)
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(args, step)
    with torch.autocast(device.type, torch.bfloat16):
        correction = state.network(features)
    loss = training_loss(correction.float() + start_map(features), target, weight)
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    state.optimizer.step()
    keep = min(args.ema, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, value in zip(state.average.parameters(), state.network.parameters(), strict=True):
            mean.lerp_(value, 1.0 - keep)
    state.step += 1
    return float(loss.detach())


def train(state: State, folder: Path, seconds: float, say: Callable[[str], None], nice: int = 0) -> State:
    """Train for some seconds of wall-clock time, saving state, log and pictures in ``folder``.

    Parameters
    ----------
    state
        Where to go on from; changed in place.
    folder
        Takes ``state.pt``, ``log.jsonl``, ``best.safetensors``, ``validation.png`` and the pool.
    seconds
        How long.
    say
        Told about progress, a line at a time.
    nice
        Added to the priority number of the process and its helper.
    """
    os.nice(nice)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pool = _open_pool(folder)
    progress = folder / "newest-head"
    args = state.args
    progress.write_text(str(args.schedule.newest(state.step)))
    save_snapshot(state, pool.folder)
    production = _production(state, pool, progress, nice)
    _replace_lost_snapshots(state, production, say)
    producer = start_producer(production)
    checks = Validation.prepare(Pool(folder=pool.folder, purpose=Purpose.VALIDATION), say)
    end, losses = time.monotonic() + seconds, []
    if state.best_nrmse == float("inf"):
        _check(state, checks, folder, [], say)
    last = time.monotonic()
    while time.monotonic() < end and not cooled_down(args, state.step):
        losses.append(train_step(state, pool, producer, device))
        state.seconds += time.monotonic() - last
        last = time.monotonic()
        if state.step % 20 == 0:
            progress.write_text(str(args.schedule.newest(state.step)))
            pool.drop_before(args.schedule.oldest(state.step))
        if state.step % 50 == 0:
            say(f"step {state.step}: loss {sum(losses[-50:]) / len(losses[-50:]):.4f}")
        if state.step % args.validate_every == 0:
            save_snapshot(state, pool.folder)
            _check(state, checks, folder, losses, say)
            last = time.monotonic()
    _check(state, checks, folder, losses, say)
    producer.terminate()
    return state


def _production(state: State, pool: Pool, progress: Path, nice: int) -> Production:
    """Say which heads the run needs next."""
    return Production(
        pool=pool,
        schedule=state.args.schedule,
        first=state.args.schedule.oldest(state.step),
        ahead=_AHEAD,
        snapshot_every=state.args.validate_every,
        progress=progress,
        nice=nice,
    )


def save_snapshot(state: State, folder: Path) -> None:
    """Keep the averaged weights of a snapshot step, for the first pass over heads to come; two are enough."""
    args = state.args
    if (state.step - args.first_step) % args.validate_every:
        return
    path = snapshot_path(folder, state.step)
    if not path.exists():
        save_weights(state.average, path)
    for old in sorted(folder.glob("snapshot-*.safetensors"))[:-3]:
        old.unlink()


def _replace_lost_snapshots(state: State, production: Production, say: Callable[[str], None]) -> None:
    """Let the present weights stand for snapshots that the next heads need and that are gone."""
    newest = state.args.schedule.newest(state.step)
    for head in range(production.first, newest + production.ahead + 1):
        path = production.snapshot(head)
        due = int(path.stem.rsplit("-", 1)[1]) <= state.step
        if due and not path.exists() and not production.pool.path(head).exists():
            say(f"{path.name} is gone: the present weights take its place")
            save_weights(state.average, path)


def _open_pool(folder: Path) -> Pool:
    """Make the folders of a run."""
    (folder / "pool").mkdir(parents=True, exist_ok=True)
    return Pool(folder=folder / "pool", purpose=Purpose.TRAINING)


def _check(state: State, checks: Validation, folder: Path, losses: list[float], say: Callable[[str], None]) -> None:
    """Validate the averaged network, log, and keep the best weights."""
    figures = validate(state.average, checks, folder / "validation.png")
    recent = losses[-state.args.validate_every :]
    line = {
        "step": state.step,
        "seconds": round(state.seconds),
        "loss": sum(recent) / max(1, len(recent)),
        **figures,
    }
    with (folder / "log.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    say(" ".join(f"{k} {v:.4g}" for k, v in line.items()))
    if figures["nrmse_percent"] < state.best_nrmse:
        state.best_nrmse = figures["nrmse_percent"]
        check_finite(state.average)
        save_weights(state.average, folder / "best.safetensors")
    save_state(state, folder / "state.pt")
