"""The command line: one file per command, one row each in ``COMMANDS``.

Exit status: 0 done; 1 failed; 2 wrong usage or configuration; 3 input refused; 130 interrupted. Every error is one
sentence that says what was found and what to do; with ``--json`` it is one JSON object.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import re
import sys
from collections.abc import Mapping
from importlib.metadata import version
from types import MappingProxyType
from typing import Annotated

import typer

from plugin.cli.console import DONE, FAILED, REFUSED, USAGE, examples
from plugin.errors import ConfigurationError, NoSuchFolderError, PluginError, PortTakenError

COMMANDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "clinic": (
            "serve",
            "prepare",
            "send",
            "status",
            "retry",
            "cancel",
            "check",
            "explain",
            "echo",
            "self-test",
            "engine",
            "migrate",
        ),
        "research": ("reconstruct", "simulate", "demo"),
        "development": ("evaluate", "train", "average", "bench"),
    }
)
"""Commands by who uses them, in the order of the help.

The module of a name holds ``NAME()`` and ``EXAMPLES``, or ``app`` with commands of its own.
"""

PANELS: Mapping[str, str] = MappingProxyType(
    {
        "clinic": "Clinic: the service beside the scanner",
        "research": "Research: folders in, folders out",
        "development": "Development: train and measure the method",
    }
)
"""Headings of the help."""

app = typer.Typer(
    name="qsm-plugin",
    help="Quantitative susceptibility mapping at the MRI scanner: DICOM in, QSM series out.",
    epilog=examples(("qsm-plugin serve --config site.toml", "qsm-plugin reconstruct FOLDER --output OUT")),
    no_args_is_help=True,
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
    os.umask(0o077)  # what is written may hold patient data


for _group, _names in COMMANDS.items():
    for _name in _names:
        _function = _name.replace("-", "_")
        _module = importlib.import_module(f"plugin.cli.{_group}.{_function}")
        if hasattr(_module, "app"):
            app.add_typer(_module.app, name=_name, rich_help_panel=PANELS[_group])
        else:
            _shown = examples(_module.EXAMPLES)
            app.command(_name, rich_help_panel=PANELS[_group], epilog=_shown)(getattr(_module, _function))


def main() -> None:
    """Run the command line."""
    as_json = "--json" in sys.argv[1:]
    try:
        # With --json, typer must not print usage errors in its own way, nor end the process itself.
        status = app(prog_name="qsm-plugin", standalone_mode=not as_json)
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        known = exit_status(error)
        if as_json:
            _print_error(error)
        if known is None:
            raise
        typer.echo(f"qsm-plugin: {_sentence(error)}", err=True)
        sys.exit(known)
    sys.exit(status if isinstance(status, int) else DONE)


def _print_error(error: Exception) -> None:
    """Print an error as the one JSON object that ``--json`` promises."""
    code, reason = "unexpected", f"unexpected {type(error).__name__}; please report it"
    if exit_status(error) is not None:
        words = re.findall("[A-Z][a-z]+", type(error).__name__.removesuffix("Error"))  # NoSuchFolder: no-such-folder
        code, reason = getattr(error, "code", None) or "-".join(words).lower(), _sentence(error)
    typer.echo(json.dumps({"error": {"code": code, "reason": reason}}, indent=2))


_ADVICE: Mapping[int, str] = MappingProxyType(
    {
        errno.ENOSPC: "free space there, or choose another folder",
        errno.EDQUOT: "free space there, or choose another folder",
        errno.EACCES: "change its owner or its rights, or choose another",
        errno.EPERM: "change its owner or its rights, or choose another",
        errno.EROFS: "choose a folder that can be written",
        errno.ENOENT: "check the path",
        errno.EISDIR: "name a file",
        errno.ENOTDIR: "name a folder",
        errno.EEXIST: "choose another name",
    }
)
"""What to do about an error of the operating system."""


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        place = f"{error.filename}: " if error.filename else ""
        advice = _ADVICE.get(error.errno)
        return f"{place}{error.strerror}" + (f"; {advice}" if advice else "")
    tell = getattr(error, "format_message", None)  # typer's usage errors
    return str(tell() if tell else error)


def exit_status(error: Exception) -> int | None:
    """Translate an error of the product into an exit status; None for an unexpected error."""
    from dicom_io.errors import DicomError, Refusal
    from recon.errors import InvalidInputError, ReconError

    if isinstance(error, ConfigurationError | PortTakenError) or hasattr(error, "format_message"):
        return USAGE
    if isinstance(error, Refusal | InvalidInputError | NoSuchFolderError):
        return REFUSED
    if isinstance(error, PluginError | DicomError | ReconError | OSError):
        return FAILED
    return None
