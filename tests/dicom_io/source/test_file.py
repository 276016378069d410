import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_io.errors import Refusal
from dicom_io.source import file
from dicom_io.source.file import read_image_file
from tests.support.synthetic import write_small_scan


@pytest.mark.parametrize("damage", [False, True])
def test_a_deflated_data_set_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch, damage):
    path = tmp_path / "deflated.dcm"
    image = dcmread(write_small_scan(tmp_path / "scan")[0])
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    image.save_as(path, enforce_file_format=True)
    assert read_image_file(path).frames == 1
    monkeypatch.setattr(file, "_LARGEST_INFLATED", 1000)
    monkeypatch.setattr(file, "_PIECE", 500)
    if damage:
        content = path.read_bytes()
        start = 144 + int.from_bytes(content[140:144], "little")
        path.write_bytes(content[:start] + b"\xff" * 100)
    with pytest.raises(Refusal) as refusal:
        read_image_file(path)
    assert refusal.value.code == ("not-dicom" if damage else "inflates-too-much")
