"""The same images to our receiver and to the peers that are installed."""

import shutil

import pytest
from pydicom import dcmwrite

from plugin.lab.bench.end_to_end import _role
from plugin.lab.bench.intake import intake_rows
from tests.support.loopback import mr_image

pytestmark = pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed")


def test_intake_is_timed_beside_every_peer_that_is_installed(tmp_path):
    images = []
    for number in range(6):
        image = mr_image("study", "series", number)
        path = tmp_path / f"{number}.dcm"
        dcmwrite(path, image, enforce_file_format=True)
        images.append(path)
    said = []
    rows = list(intake_rows(images, tmp_path / "work", said.append))
    installed = [name for name in ("storescp", "Orthanc") if shutil.which(name)]
    assert len(rows) == len(installed)
    assert all(row.unit == "images/s" and row.ours_value > 0 and row.peer_value > 0 for row in rows)
    received = {run: list((tmp_path / "work" / run).rglob("*.dcm")) for run in ("ours-0", "ours-1")}
    assert {len(files) for files in received.values()} == {6}


def test_processes_are_named_by_their_command_line():
    assert _role(["qsm-plugin worker", "", ""]) == "worker"
    assert _role(["python", "-m", "plugin", "serve", "--config", "x"]) == "supervisor"
    assert _role(["storescp", "104"]) == ""
    assert _role([]) == ""
