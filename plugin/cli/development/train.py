"""``qsm-plugin train``: train the network, from where the last run stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugin.cli.console import JsonOption, progress_shown, show, tell

if TYPE_CHECKING:
    import torch

    from recon.lab.training.state import State

EXAMPLES = ("qsm-plugin train --minutes 60", "qsm-plugin train --minutes 600 --cool-down-minutes 60 --folder .training")


def train(
    minutes: Annotated[float, typer.Option(min=0.1, help="Wall-clock time to train.")] = 60.0,
    folder: Annotated[Path, typer.Option(help="State, log, pictures and simulated heads.")] = Path(".training"),
    threads: Annotated[int, typer.Option(min=1, help="Threads of the trainer.")] = 1,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that simulate; 0: one, beside a GPU all cores but two.")
    ] = 0,
    nice: Annotated[int, typer.Option(min=0, max=19, help="How much to give way to other work (nice).")] = 10,
    cool_down_minutes: Annotated[
        float, typer.Option(min=0.0, help="Lower the learning rate to zero over so many minutes at the end.")
    ] = 0.0,
    first_head: Annotated[
        int,
        typer.Option(min=0, help="Of a new run: number of its first training head; another number gives other heads."),
    ] = 0,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="Of a new run: the peak; a tenth stays near the shipped weights.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train on simulated heads: from FOLDER/state.pt, else from the shipped weights, else from nothing.

    Ctrl-C and SIGTERM end the run after the step under way; its state is kept.
    """
    import os

    import numba
    import torch

    from recon.lab.training.trainer import train

    torch.set_num_threads(threads)
    numba.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    workers = workers or (1 if device.type == "cpu" else max(1, len(os.sched_getaffinity(0)) - 2))
    with progress_shown("train", (("step", minutes * 60.0),), as_json=as_json, is_timed=True) as say:
        state = train(
            _state(folder / "state.pt", device, first_head, learning_rate, say),
            folder,
            minutes * 60.0,
            say,
            workers=workers,
            nice=nice,
            cool_down_seconds=cool_down_minutes * 60.0,
            stop=_asked_to_stop(),
        )
    found = {"step": state.step, "best_nrmse_percent": state.best_nrmse, "weights": str(folder / "best.safetensors")}
    show(found, as_json, lambda _found: tell(f"weights of the best validation: {found['weights']}"))


def _state(
    stored: Path, device: torch.device, first_head: int, learning_rate: float | None, say: Callable[[str], None]
) -> State:
    """Return the state to train: the stored one, else one from the shipped weights, else from nothing."""
    from recon.lab.training.state import TrainingArgs, load_state, new_state, start_from
    from recon.network.model import ModelConfig
    from recon.network.weights import load_weights, shipped_weights

    if stored.exists():
        state = load_state(stored, device)
        say(f"resuming at step {state.step}; --first-head and --learning-rate are those it began with")
        if state.args.cooldown_steps:  # of the run that asked for it, whether it ended or was cut short
            say("the last run cooled down: the learning rate starts again")
            state.args = replace(state.args, cooldown_from=0, cooldown_steps=0)
        return state
    args = replace(TrainingArgs.for_device(device), first_head=first_head)
    if learning_rate is not None:
        args = replace(args, learning_rate=learning_rate)
    if not shipped_weights().exists():
        say("neither training state nor weights found: a new run from nothing")
        return new_state(args, ModelConfig(), device)
    say("no training state found: a new run from the shipped weights")
    if learning_rate is None:  # trained weights need smaller steps
        args = replace(args, learning_rate=args.learning_rate / 2)
    return start_from(load_weights().network, args, device)


def _asked_to_stop() -> threading.Event:
    """Return an event that Ctrl-C or SIGTERM sets: the run ends after a step, and loses none."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
