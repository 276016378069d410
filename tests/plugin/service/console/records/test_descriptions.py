from dataclasses import replace

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from plugin.intake.database.overview import Arrived
from plugin.service.console.records.descriptions import Description, describe_image

IMAGE = Arrived(image="i", series="s", study="t", calling_ae="MR1", address="", first_at=0.0, last_at=0.0)


def write(spool, **values):
    head = Dataset()
    head.file_meta = FileMetaDataset()
    head.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    head.file_meta.MediaStorageSOPClassUID = head.SOPClassUID = MRImageStorage
    head.file_meta.MediaStorageSOPInstanceUID = head.SOPInstanceUID = "1.2.3"
    for name, value in values.items():
        setattr(head, name, value)
    path = spool / "images" / "t" / "s" / "i.dcm"
    path.parent.mkdir(parents=True)
    head.save_as(path, enforce_file_format=True)


def test_a_series_is_described_by_its_header(tmp_path):
    write(tmp_path, SeriesDescription="gre", StudyDate="20250304", PatientName="Doe^Jane", MagneticFieldStrength="3")
    found = describe_image(tmp_path, IMAGE)
    assert (found.title, found.study, found.study_date) == ("gre", "", "2025-03-04")
    assert (found.patient_name, found.field_t) == ("Doe Jane", "3")


def test_texts_have_one_line_of_a_limited_length(tmp_path):
    write(tmp_path, StudyDescription="a\x07\n b", ProtocolName="p" * 64)
    found = describe_image(tmp_path, IMAGE)
    assert found.study == "a b"
    assert found.title == "p" * 64


def test_an_image_that_is_gone_or_damaged_describes_nothing(tmp_path):
    assert describe_image(tmp_path, None) == describe_image(tmp_path, IMAGE) == Description()
    other = replace(IMAGE, image="j")
    path = tmp_path / "images" / "t" / "s" / "j.dcm"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\0" * 10)
    assert describe_image(tmp_path, other).title == "series without a description"
