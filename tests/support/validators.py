"""dicom3tools' validators."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest


def verify(program: str, paths: Sequence[Path]) -> list[str]:
    """Return what ``dciodvfy`` or ``dcentvfy`` says of files; skip the test where it is not installed."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} (dicom3tools) is not installed")
    result = subprocess.run([program, *map(str, paths)], capture_output=True, text=True, check=False)
    return (result.stdout + result.stderr).splitlines()
