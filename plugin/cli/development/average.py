"""``qsm-plugin average``: the mean of trained networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin.cli.console import JsonOption, show, tell

EXAMPLES = ("qsm-plugin average a.safetensors b.safetensors --out mean.safetensors --share 2 --share 1",)


def average(
    files: Annotated[
        list[Path], typer.Argument(help="Weights files of networks that were trained from the same weights.")
    ],
    out: Annotated[Path, typer.Option(help="Weights file to write.")],
    share: Annotated[
        list[float] | None, typer.Option(min=0.0, help="Share of each file, in their order; equal if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the mean of several weights files, as the shipped ones were made."""
    from recon.lab.training.average import mean_network
    from recon.network.weights import load_weights, save_weights

    trained = [load_weights(file) for file in files]
    mean = mean_network([one.network for one in trained], share or [1.0] * len(files))
    save_weights(mean, out)
    found = {"file": str(out), "sha256": load_weights(out).sha256}
    show(found, as_json, lambda _found: tell(f"{out.name}: sha256 {found['sha256']}"))
