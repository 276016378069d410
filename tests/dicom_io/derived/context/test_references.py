from __future__ import annotations

from dataclasses import replace

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedMRImageStorage

from dicom_io.derived.codes import Code
from dicom_io.derived.context.references import referenced_series, sequence_element, source_images
from dicom_io.source.header import ImageHeader
from dicom_io.synthetic import write_scan
from tests.dicom_io.conftest import make_echoes
from tests.support.synthetic import read_header

pytestmark = pytest.mark.filterwarnings("ignore:Invalid value for VR UI")


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> list[ImageHeader]:
    paths = write_scan(make_echoes(), tmp_path_factory.mktemp("scan"), vendor="siemens", study_seed=3)
    classic = [read_header(path) for path in paths[:5]]
    frames = [
        replace(classic[0], sop_class_uid=str(EnhancedMRImageStorage), sop_instance_uid="1.2.30", frame=frame)
        for frame in (0, 9, 99)
    ]
    odd = replace(classic[0], sop_instance_uid="1.2.\xe9")  # not a UID, but some peers send such
    return [odd, *classic, *(replace(one, series_instance_uid="1.2.3") for one in classic[:2]), *frames]


def reference(header: ImageHeader) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = header.sop_class_uid, header.sop_instance_uid
    return item


def test_source_images_are_encoded_as_pydicom_encodes_their_data_sets(headers: list[ImageHeader]) -> None:
    items = [reference(header) for header in headers]
    for item, header in zip(items, headers, strict=True):
        if header.sop_class_uid == EnhancedMRImageStorage:
            item.ReferencedFrameNumber = header.frame + 1
        item.SpatialLocationsPreserved = "YES"
        purpose = Code("121322", "DCM", "Source image for image processing operation")
        item.PurposeOfReferenceCodeSequence = [purpose.item()]
    assert source_images(headers) == sequence_element("SourceImageSequence", items)


def test_referenced_series_are_encoded_as_pydicom_encodes_their_data_sets(headers: list[ImageHeader]) -> None:
    items = []
    for uid in sorted({header.series_instance_uid for header in headers}):
        own = {header.sop_instance_uid: header for header in headers if header.series_instance_uid == uid}
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedInstanceSequence = [reference(own[instance]) for instance in sorted(own)]
        items.append(item)
    assert len(items) > 1
    assert referenced_series(headers) == sequence_element("ReferencedSeriesSequence", items)
