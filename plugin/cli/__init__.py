"""The command line: one file per command, one row each in ``COMMANDS``.

Exit status: 0 done; 1 failed; 2 wrong usage or configuration; 3 input refused, the reason is printed.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from plugin.errors import ConfigurationError, PluginError, PortTakenError

COMMANDS: tuple[str, ...] = (
    "serve",
    "reconstruct",
    "send",
    "status",
    "retry",
    "check",
    "echo",
    "simulate",
    "demo",
    "evaluate",
    "train",
    "bench",
)
"""Commands in the order of the help; ``plugin/cli/NAME.py`` holds ``NAME()``, or ``app`` with its own commands."""

DONE, FAILED, USAGE, REFUSED = range(4)

app = typer.Typer(
    name="qsm-plugin",
    help="Quantitative susceptibility mapping at the MRI scanner: DICOM in, QSM series out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qsm-plugin {version('qsm-plugin')}")
        raise typer.Exit


@app.callback()
def _common(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    os.umask(0o077)  # whatever is written may be of a patient


for _name in COMMANDS:
    _module = importlib.import_module(f"plugin.cli.{_name}")
    if hasattr(_module, "app"):
        app.add_typer(_module.app, name=_name)
    else:
        app.command(_name)(getattr(_module, _name))


def main() -> None:
    """Run the command line."""
    try:
        app()
    except Exception as error:
        status = exit_status(error)
        if status is None:
            raise
        typer.echo(f"qsm-plugin: {error}", err=True)
        sys.exit(status)


def exit_status(error: Exception) -> int | None:
    """Translate an error of the product into an exit status; None for an error nobody expected."""
    from dicom_io.errors import DicomError, Refusal
    from recon.errors import InvalidInputError, ReconError

    if isinstance(error, ConfigurationError | PortTakenError):
        return USAGE
    if isinstance(error, Refusal | InvalidInputError):
        return REFUSED
    if isinstance(error, PluginError | DicomError | ReconError | OSError):
        return FAILED
    return None
