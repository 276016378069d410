"""``qsm-plugin echo``: whether a DICOM peer answers."""

from __future__ import annotations

from typing import Annotated

import typer

from plugin.cli.console import JsonOption, show, tell

EXAMPLES = ("qsm-plugin echo PACS@10.0.0.2:104",)


def echo(
    address: Annotated[str, typer.Argument(metavar="AET@HOST:PORT", help="AE title, host and port of the peer.")],
    calling: Annotated[str, typer.Option(help="AE title to ask as.")] = "QSM",
    as_json: JsonOption = False,
) -> None:
    """Ask a DICOM peer whether it is there (C-ECHO)."""
    from plugin.network.entities import parse_address
    from plugin.network.send import echo as ask

    peer = parse_address(address)
    seconds = ask(peer, calling_ae=calling)
    found = {"peer": str(peer), "seconds": round(seconds, 4)}
    show(found, as_json, lambda _found: tell(f"{peer} answered in {1000 * seconds:.0f} ms"))
