from __future__ import annotations

from dataclasses import replace

import pytest
from pydicom.uid import EnhancedMRImageStorage

from dicom_io.derived.context.references import referenced_series, source_images
from dicom_io.derived.encoded import referenced_series_element, sequence_element, source_images_element
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
    odd = replace(classic[0], sop_instance_uid="1.2.\xe9")  # no UID, but some peers send such
    return [odd, *classic, *(replace(one, series_instance_uid="1.2.3") for one in classic[:2]), *frames]


def test_source_images_are_encoded_as_pydicom_encodes_their_data_sets(headers: list[ImageHeader]) -> None:
    expected = sequence_element("SourceImageSequence", source_images(headers))
    assert source_images_element(headers) == expected


def test_referenced_series_are_encoded_as_pydicom_encodes_their_data_sets(headers: list[ImageHeader]) -> None:
    expected = sequence_element("ReferencedSeriesSequence", referenced_series(headers))
    assert referenced_series_element(headers) == expected
    assert len(referenced_series(headers)) > 1
