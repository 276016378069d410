"""The demonstration, small: real service, real PACS, real network."""

import json

import pytest
from pydicom import dcmread
from typer.testing import CliRunner

from plugin.cli import app
from plugin.lab.demo import pacs as pacs_module
from plugin.network.send import send_files
from tests.support.loopback import mr_image

pytestmark = pytest.mark.acceptance


def test_qsm_arrives_at_the_pacs_and_resembles_the_truth(tmp_path):
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
    assert (told["pacs"] == "Orthanc") == bool(pacs_module.shutil.which("Orthanc"))


@pytest.mark.parametrize("orthanc", [True, False])
def test_either_pacs_keeps_what_it_is_sent(tmp_path, monkeypatch, orthanc):
    if orthanc and not pacs_module.shutil.which("Orthanc"):
        pytest.skip("Orthanc is not installed")
    if not orthanc:
        monkeypatch.setattr(pacs_module.shutil, "which", lambda name: None)
    images = [mr_image("demo", "1", number) for number in range(3)]
    for number, image in enumerate(images):
        image.save_as(tmp_path / f"{number}.dcm", enforce_file_format=True)
    with pacs_module.running_pacs(tmp_path / "pacs") as pacs:
        assert (pacs.name == "Orthanc") == orthanc
        assert pacs.instances() == []
        sent = send_files(sorted(tmp_path.glob("*.dcm")), pacs.address, calling_ae="SCANNER")
        assert sent.undelivered == ()
        assert len(pacs.instances()) == 3
        fetched = [dcmread(path) for path in pacs.fetch(tmp_path / "fetched")]
    assert {image.SOPInstanceUID for image in fetched} == {image.SOPInstanceUID for image in images}
    assert all(image.PixelData == images[0].PixelData for image in fetched)
