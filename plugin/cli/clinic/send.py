"""``qsm-plugin send``: a folder to a DICOM peer, as a scanner would send it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin.cli.console import DONE, FAILED, JsonOption, note, people, print_json, require_folder, tell
from plugin.errors import NoSuchFolderError


def send(
    folder: Annotated[Path, typer.Argument(help="Folder with DICOM files; searched recursively.")],
    address: Annotated[str, typer.Argument(metavar="AET@HOST:PORT", help="The peer.")],
    calling: Annotated[str, typer.Option(help="Our AE title.")] = "QSM",
    as_json: JsonOption = False,
) -> None:
    """Send the DICOM files of a folder by C-STORE."""
    from pydicom.misc import is_dicom
    from rich.progress import Progress

    from plugin.network.entities import parse_address
    from plugin.network.send import send_files

    require_folder(folder)
    peer = parse_address(address)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and is_dicom(path))
    if not files:
        raise NoSuchFolderError(f"{folder}: no DICOM file below it; name a folder with DICOM images")
    with Progress(console=people, disable=as_json or not people.is_terminal) as bar:
        task = bar.add_task(f"to {peer}", total=len(files))
        report = send_files(files, peer, calling_ae=calling, progress=lambda _path: bar.advance(task))
    delivered, undelivered = len(report.delivered), [str(path) for path in report.undelivered]
    if as_json:
        outcome = {"delivered": delivered, "undelivered": undelivered}
        print_json({**outcome, "reason": report.reason, "seconds": report.seconds})
    else:
        tell(f"{delivered} of {len(files)} objects are at {peer}, {report.seconds:.1f} s")
        if undelivered:
            note(f"not delivered: {undelivered[0]} and {len(undelivered) - 1} more: {report.reason}")
    raise typer.Exit(FAILED if undelivered else DONE)
