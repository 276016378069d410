"""``qsm-plugin send``: a folder to a DICOM peer, as a scanner would send it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin.cli.console import DONE, FAILED, JsonOption, note, people, require_folder, show, tell
from plugin.errors import NoSuchFolderError

EXAMPLES = ("qsm-plugin send FOLDER QSM@10.0.0.5:11112 --calling MR1",)


def send(
    folder: Annotated[Path, typer.Argument(readable=False, help="Folder with DICOM files; searched recursively.")],
    address: Annotated[str, typer.Argument(metavar="AET@HOST:PORT", help="AE title, host and port of the peer.")],
    calling: Annotated[str, typer.Option(help="AE title to send as.")] = "QSM",
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
        raise NoSuchFolderError(f"{folder}: no DICOM file in it; name a folder with DICOM images")
    if not as_json and not people.is_terminal:
        note(f"sending {len(files)} files to {peer}")
    with Progress(console=people, disable=as_json or not people.is_terminal) as bar:
        task = bar.add_task(f"to {peer}", total=len(files))
        report = send_files(files, peer, calling_ae=calling, progress=lambda _path: bar.advance(task))
    found = {
        "delivered": len(report.delivered),
        "undelivered": [str(path) for path in report.undelivered],
        "reason": report.reason,
        "seconds": report.seconds,
    }
    at_peer = f"{len(report.delivered)} of {len(files)} objects delivered to {peer} in {report.seconds:.1f} s"
    show(found, as_json, lambda _found: tell(at_peer))
    if (left := report.undelivered) and not as_json:
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        note(f"not delivered: {left[0]}{more}: {report.reason}")
    raise typer.Exit(FAILED if report.undelivered else DONE)
