"""What dcm2niix makes of scanners' images is read as the images themselves are."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dicom_io.source.read import read_folder
from plugin.jobs.bids.dataset import find_recordings
from plugin.jobs.bids.images import read_recording
from tests.support.synthetic import write_small_scan


def converted(images, root):
    """Convert images to NIfTI with sidecars, and give the files their BIDS names."""
    program = Path(sys.executable).with_name("dcm2niix")
    if not program.exists():
        pytest.skip("dcm2niix is not installed")
    folder = root / "sub-01" / "anat"
    folder.mkdir(parents=True)
    subprocess.run([program, "-z", "n", "-f", "%s_e%e", "-o", folder, images], check=True, capture_output=True)
    for path in sorted(folder.glob("*.json")):
        part = "phase" if path.stem.endswith("_ph") else "mag"
        name = f"sub-01_echo-{json.loads(path.read_text()).get('EchoNumber', 1)}_part-{part}_MEGRE"
        for ending in (".json", ".nii"):
            path.with_suffix(ending).rename(folder / f"{name}{ending}")
    return root


@pytest.mark.parametrize(
    ("vendor", "sign"), [("siemens", "positive"), ("philips", "positive"), ("ge-polar", "negative")]
)
def test_converted_images_are_read_as_the_images_are(vendor, sign, tmp_path):
    write_small_scan(tmp_path / "dicom", vendor=vendor)
    expected = read_folder(tmp_path / "dicom")
    root = converted(tmp_path / "dicom", tmp_path / "bids")
    (recording,) = find_recordings(root)
    echoes, _ = read_recording(recording, root, sign)
    assert np.allclose(echoes.magnitude, expected.magnitude, rtol=1e-6)
    assert np.abs(np.angle(np.exp(1j * (echoes.phase_rad - expected.phase_rad)))).max() < 1e-6
    assert echoes.echo_times_s == pytest.approx(expected.echo_times_s)
    assert echoes.b0_tesla == pytest.approx(expected.b0_tesla)
    assert np.allclose(echoes.grid.b0_direction, expected.grid.b0_direction, atol=1e-5)
    assert echoes.grid.voxel_size_mm == pytest.approx(expected.grid.voxel_size_mm, abs=1e-4)
