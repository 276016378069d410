"""A training run's settings and everything it needs to resume, in a checkpoint."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from recon.lab.training.sample import RECIPE
from recon.network.model import ModelConfig, TotalFieldNetwork


@dataclass(frozen=True, kw_only=True)
class TrainingArgs:
    """Settings of a run; kept inside its checkpoint.

    Parameters
    ----------
    seed
        Of the order of patches.
    first_head, first_step
        Number of the first training head, and the step of the run that begins with it.
    steps_per_head
        Training steps for every new head.
    window
        Heads that a step may draw from; it moves on as new heads are made.
    patch, batch
        Edge of a patch in voxels, and patches per step, each of a head of its own.
    learning_rate
        Peak, reached after ``warmup`` steps; falls with the inverse root after ``decay_from``.
    ema
        Share of the old average kept at every step.
    validate_every, snapshot_every
        Steps between validations, and between the snapshots that the second pass is trained on.
    tell_every
        Steps between progress lines, and between the states that an interrupted training resumes from.
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
    snapshot_every: int = 800
    tell_every: int = 50
    cooldown_from: int = 0
    cooldown_steps: int = 0

    @classmethod
    def for_device(cls, device: torch.device) -> TrainingArgs:
        """Return what suits a device: a GPU sees more voxels in every step, of more heads, and needs no early decay."""
        if device.type == "cpu":
            return cls()
        return cls(
            steps_per_head=50,
            window=256,
            patch=96,
            batch=6,
            learning_rate=1.6e-3,
            decay_from=1_000_000,
            ema=0.999,
            validate_every=20_000,
            tell_every=500,
        )

    def newest(self, step: int) -> int:
        """Return the number of the newest head that a step may use."""
        return self.first_head + 8 + (step - self.first_step) // self.steps_per_head

    def oldest(self, step: int) -> int:
        """Return the number of the oldest head that a step may use."""
        return max(self.first_head, self.newest(step) - self.window)

    def first_use(self, head: int) -> int:
        """Return the first step that may use a head."""
        return self.first_step + max(0, head - self.first_head - 8) * self.steps_per_head


@dataclass(kw_only=True)
class State:
    """Everything that a run needs to resume."""

    args: TrainingArgs
    network: TotalFieldNetwork
    average: TotalFieldNetwork
    optimizer: torch.optim.Optimizer
    step: int = 0
    best_nrmse: float = float("inf")
    seconds: float = 0.0


def new_state(args: TrainingArgs, config: ModelConfig, device: torch.device | str = "cpu") -> State:
    """Start a run on a device."""
    torch.manual_seed(args.seed)
    network = TotalFieldNetwork(config).to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=args.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)
    return State(args=args, network=network, average=copy.deepcopy(network), optimizer=optimizer)


def start_from(network: TotalFieldNetwork, args: TrainingArgs, device: torch.device | str = "cpu") -> State:
    """Start a run from trained weights with a new optimiser and order of data; two passes are trained."""
    state = new_state(args, replace(network.config, passes=2), device)
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
            "recipe": RECIPE,
        },
        partial,
    )
    partial.replace(path)


def load_state(path: Path, device: torch.device | str = "cpu") -> State:
    """Read a checkpoint; tensors and plain values only, so that it cannot run code."""
    stored = torch.load(path, weights_only=True, map_location="cpu")
    state = new_state(TrainingArgs(**stored["args"]), ModelConfig.from_metadata(stored["config"]), device)
    state.network.load_state_dict(stored["network"])
    state.average.load_state_dict(stored["average"])
    state.optimizer.load_state_dict(stored["optimizer"])
    state.step, state.seconds = stored["step"], stored["seconds"]
    if stored.get("recipe") == RECIPE:  # else the best was found on other validation heads
        state.best_nrmse = stored["best_nrmse"]
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
