"""The command line in this process: what it prints and how it ends, without the seconds of a new interpreter."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from plugin.cli import main

DONE, FAILED, USAGE, REFUSED = range(4)


@dataclass(frozen=True, kw_only=True)
class Ended:
    stdout: str
    stderr: str


def run(*arguments: object, status: int = DONE) -> Ended:
    """Run a command as a user does; check its exit status."""
    stdout, stderr = io.StringIO(), io.StringIO()
    mask = os.umask(0o077)
    code: object = DONE
    try:
        argv = mock.patch.object(sys, "argv", ["qsm-plugin", *map(str, arguments)])
        with argv, redirect_stdout(stdout), redirect_stderr(stderr):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        os.umask(mask)
    ended = Ended(stdout=stdout.getvalue(), stderr=stderr.getvalue())
    assert code == status, (code, ended.stdout, ended.stderr)
    return ended
