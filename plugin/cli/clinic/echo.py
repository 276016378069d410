"""``qsm-plugin echo``: whether a DICOM peer answers."""

from __future__ import annotations

from typing import Annotated

import typer

from plugin.cli.console import JsonOption, print_json, tell


def echo(
    address: Annotated[str, typer.Argument(metavar="AET@HOST:PORT", help="The peer.")],
    calling: Annotated[str, typer.Option(help="Our AE title.")] = "QSM",
    as_json: JsonOption = False,
) -> None:
    """Ask a DICOM peer whether it is there (C-ECHO)."""
    from plugin.network.entities import parse_address
    from plugin.network.send import echo as ask

    peer = parse_address(address)
    seconds = ask(peer, calling_ae=calling)
    if as_json:
        print_json({"peer": str(peer), "seconds": round(seconds, 4)})
    else:
        tell(f"{peer} answered in {1000 * seconds:.0f} ms")
