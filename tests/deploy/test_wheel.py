"""The wheel: built from the sources alone, installed into an empty folder, and run from elsewhere."""

import shutil
import sys
import zipfile
from email.parser import Parser

import numpy
import pytest

from tests.deploy.support import ROOT, run

PACKAGES = ("plugin", "recon", "dicom_io")
DEPENDENCIES = numpy.__path__[0].removesuffix("/numpy")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build it in a copy of the sources: setuptools leaves its files there."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source)
    return next(out.glob("*.whl"))


def test_it_holds_what_runs_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        info = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(info).decode())
    tracked = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    folder = info.partition("/")[0]
    assert {name for name in names if not name.startswith(folder)} == tracked
    assert f"{folder}/licenses/LICENSE" in names
    assert metadata["Name"] == "qsm-plugin"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert any(line.startswith("pynetdicom==") for line in metadata.get_all("Requires-Dist"))


CODE = """
import contextlib, sys
import plugin.cli, recon
from recon.network.weights import load_weights
assert recon.__file__.startswith(sys.argv[1]), recon.__file__
assert load_weights().sha256
sys.argv[1:] = ["--version"]
plugin.cli.main()
"""


def test_it_runs_from_an_empty_environment_in_another_folder(wheel, tmp_path):
    where = tmp_path / "installed"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile")
    run(*pip, "--disable-pip-version-check", "--target", where, wheel)
    assert (where / "bin" / "qsm-plugin").exists()
    # -S leaves out the development install, which the dependencies' folder points to.
    only = {"PYTHONPATH": f"{where}:{DEPENDENCIES}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    said = run(sys.executable, "-S", "-c", CODE, where, env=only, cwd=tmp_path)
    assert said.startswith("qsm-plugin ")
