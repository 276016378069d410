"""``qsm-plugin average``: the mean of trained networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin.cli.console import people


def average(
    files: Annotated[list[Path], typer.Argument(help="Weights files of networks of one origin.")],
    out: Annotated[Path, typer.Option(help="Weights file to write.")],
    share: Annotated[
        list[float] | None, typer.Option(min=0.0, help="Share of each file, in their order; without it all alike.")
    ] = None,
) -> None:
    """Write the mean of several weights files; the shipped ones were made so."""
    from recon.lab.training.average import mean_network
    from recon.network.weights import load_weights, save_weights

    trained = [load_weights(file) for file in files]
    mean = mean_network([one.network for one in trained], share or [1.0] * len(files))
    save_weights(mean, out)
    people.print(f"{out.name}: sha256 {load_weights(out).sha256}", soft_wrap=True)
