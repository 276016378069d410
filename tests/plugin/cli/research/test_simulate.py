"""``qsm-plugin simulate``: images and truth that belong together."""

import functools
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from dicom_io.source.folder import find_acquisitions
from dicom_io.source.read import read_acquisition
from plugin.cli import app
from plugin.errors import ConfigurationError
from recon.lab.simulation import scan as simulation


@pytest.fixture
def one_head(monkeypatch):
    """Simulate the head once for all vendors: what differs between them is how it is written."""
    monkeypatch.setattr(simulation, "simulate_case", simulated)


simulated = functools.cache(simulation.simulate_case)


@pytest.mark.usefixtures("one_head")
@pytest.mark.parametrize(
    ("vendor", "kind"), [("siemens", "classic"), ("ge", "legacy"), ("philips", "enhanced"), ("canon", "enhanced")]
)
def test_images_and_truth_belong_together(tmp_path, vendor, kind):
    out = tmp_path / "s"
    arguments = ["simulate", str(out), "--vendor", vendor, "--object", kind, "--seed", "3"]
    arguments += ["--voxel-size-mm", "5", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    (acquisition,) = find_acquisitions(out).acquisitions
    assert told["images"] == len({header.path for header in acquisition.headers})
    assert acquisition.vendor == vendor
    with np.load(out / "truth.npz") as saved:
        truth = dict(saved)
    echoes = read_acquisition(acquisition)
    assert truth["chi_ppm"].shape == echoes.grid.shape
    turns = 42.577478 * echoes.b0_tesla * (echoes.echo_times_s[1] - echoes.echo_times_s[0])
    expected = np.exp(2j * np.pi * turns * truth["field_ppm"])
    measured = np.exp(1j * (echoes.phase_rad[1] - echoes.phase_rad[0]))
    agreement = (measured * expected.conj())[truth["brain"]]
    assert np.abs(np.angle(agreement)).mean() < 0.15


@pytest.mark.parametrize("wrong", [["--vendor", "acme"], ["--case", "imaginary"], ["--object", "cube"]])
def test_unknown_names_are_wrong_usage_before_anything_is_done(tmp_path, wrong):
    result = CliRunner().invoke(app, ["simulate", str(tmp_path / "s"), *wrong])
    assert isinstance(result.exception, ConfigurationError)
    assert not (tmp_path / "s").exists()


def test_a_folder_with_files_is_not_touched(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    result = CliRunner().invoke(app, ["simulate", str(tmp_path)])
    assert isinstance(result.exception, ConfigurationError)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
