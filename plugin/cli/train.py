"""``qsm-plugin train``: go on training the network, from where the last run stopped."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from plugin.cli.console import people


def train(
    minutes: Annotated[float, typer.Option(min=0.1, help="Wall-clock time to train.")] = 60.0,
    folder: Annotated[Path, typer.Option(help="State, log, pictures and simulated heads.")] = Path(".training"),
    threads: Annotated[int, typer.Option(min=1, help="Threads of the trainer.")] = 1,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that simulate; 0: one, beside a GPU all cores but two.")
    ] = 0,
    nice: Annotated[int, typer.Option(min=0, max=19, help="How much to give way to other work.")] = 10,
    cool_down_minutes: Annotated[
        float, typer.Option(min=0.0, help="Lower the learning rate to zero over so many minutes at the end.")
    ] = 0.0,
) -> None:
    """Train on simulated heads: from FOLDER/state.pt, else from the shipped weights, else from nothing.

    Ctrl-C and SIGTERM end the run after the step under way; its state is kept.
    """
    import os
    import time

    import numba
    import torch

    from recon.network.model import ModelConfig
    from recon.network.weights import load_weights, shipped_weights
    from recon.training.state import State, TrainingArgs, load_state, new_state, start_from
    from recon.training.trainer import Crew, train

    def say(line: str) -> None:
        people.print(f"{time.strftime('%H:%M:%S')} {line}", soft_wrap=True)

    torch.set_num_threads(threads)
    numba.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    stored = folder / "state.pt"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state: State
    if stored.exists():
        state = load_state(stored, device)
        say(f"resuming at step {state.step}")
    elif shipped_weights().exists():
        state = start_from(load_weights().network, TrainingArgs.for_device(device), device)
        say("no training state found: a new run from the shipped weights")
    else:
        state = new_state(TrainingArgs.for_device(device), ModelConfig(), device)
        say("neither training state nor weights found: a new run from nothing")
    if state.args.cooldown_steps:  # it belongs to the run that was asked for it, ended or cut short
        say("the last run cooled down: the learning rate begins anew")
        state.args = replace(state.args, cooldown_from=0, cooldown_steps=0)
    cores = len(os.sched_getaffinity(0))
    workers = workers or (1 if device.type == "cpu" else max(1, cores - 2))
    crew = Crew(workers=workers, nice=nice)
    train(state, folder, minutes * 60.0, say, crew, cool_down_minutes * 60.0, _asked_to_stop())
    people.print(f"weights of the best validation: {folder / 'best.safetensors'}", soft_wrap=True)


def _asked_to_stop() -> threading.Event:
    """Return an event that Ctrl-C or SIGTERM sets, so that a run ends between two steps and loses none."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
