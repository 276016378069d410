"""The demonstration, small: real service, real PACS, real network."""

import json

import pytest
from typer.testing import CliRunner

from plugin.cli import app
from plugin.demo import pacs as pacs_module

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("orthanc", [True, False])
def test_qsm_arrives_at_the_pacs_and_resembles_the_truth(tmp_path, monkeypatch, orthanc):
    if orthanc and not pacs_module.shutil.which("Orthanc"):
        pytest.skip("Orthanc is not installed")
    if not orthanc:
        monkeypatch.setattr(pacs_module.shutil, "which", lambda name: None)
    arguments = ["demo", "--output", str(tmp_path), "--vendor", "ge", "--voxel-size-mm", "4", "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["qsm_images"] == 40
    assert told["images"] == 40 * 4 * 3
    assert told["correlation"] > 0.5
    found, true = told["nuclei_ppb"]["pallidum"]
    assert found > 0.3 * true > 0
    assert (tmp_path / "demo.png").stat().st_size > 10_000
    assert (told["pacs"] == "Orthanc") == orthanc
