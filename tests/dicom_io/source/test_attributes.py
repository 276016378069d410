"""Words about filters, times, coils and the acquired matrix, as headers state them."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from dicom_io.source.attributes import header_values
from dicom_io.source.elements import Elements


def values(**elements: object) -> dict[str, object]:
    dataset = Dataset()
    dataset.Manufacturer = "SIEMENS"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "P", "ND"]
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return header_values(Elements(dataset), {})


@pytest.mark.parametrize(
    "text",
    [
        "gre_qsm_nofilter",
        "gre_qsm_Filter_off",
        "GRE prefiltered raw",
        "qsm non filtered",
        "phase unfiltered",
        "un-filtered",
        "not filtered",
        "no high-pass filter",
        "without filter",
        "w/o filter",
        "filter: none",
        "filter=off",
        "Filter 0",
        "raw filter",
        "infiltration",
        "gre_swi_qsm",
        "",
    ],
)
def test_phase_that_is_not_filtered(text: str) -> None:
    assert values(SeriesDescription=text)["filter_hint"] == ""
    assert values(ImageComments=text)["filter_hint"] == ""


@pytest.mark.parametrize(
    "text",
    [
        "filtered phase",
        "Phase_Filtered",
        "phase filter",
        "FILT_PHA: Ax SWAN",
        "SWI phase Homodyne",
        "high pass 64",
        "highpass",
        "PHA_HP",
        "gre hpf",
        "Pha_Images",
        "SWIp",
        "run_filtered",
    ],
)
def test_phase_that_is_filtered_by_its_name(text: str) -> None:
    assert values(SeriesDescription=text)["filter_hint"]


def test_the_magnitude_of_a_weighted_scan_is_not_filtered() -> None:
    assert values(SeriesDescription="Mag_Images")["filter_hint"] == ""
    magnitude = ["ORIGINAL", "PRIMARY", "M", "ND"]
    assert values(SeriesDescription="filtered", ImageType=magnitude)["filter_hint"] == ""


@pytest.mark.parametrize(
    ("elements", "acquired"),
    [
        ({"AcquisitionDate": "20240102", "AcquisitionTime": "080000.25"}, "20240102080000.25"),
        ({"AcquisitionTime": "080000.25"}, "19000101080000.25"),
        ({"AcquisitionDateTime": "20240102080000.25+0100"}, "20240102080000.25"),
        ({"AcquisitionDate": "20240102", "AcquisitionTime": "000000.000"}, ""),
        ({"AcquisitionDate": "20240102"}, ""),
    ],
)
def test_the_time_of_acquisition(elements: dict[str, str], acquired: str) -> None:
    assert values(**elements)["acquired"] == acquired


def test_the_coil_elements_of_enhanced_images() -> None:
    def element(name: str, used: str) -> Dataset:
        item = Dataset()
        item.MultiCoilElementName, item.MultiCoilElementUsed = name, used
        return item

    one = [element("H1", "YES"), element("H2", "NO")]
    every = [element("H1", "YES"), element("H2", "YES")]
    assert values(ReceiveCoilName="Head", MultiCoilDefinitionSequence=one)["coil"] == "Head\\H1"
    assert values(ReceiveCoilName="Head", MultiCoilDefinitionSequence=every)["coil"] == "Head"


@pytest.mark.parametrize(
    ("matrix", "direction", "acquired"),
    [
        ([128, 0, 0, 76], "COL", (76, 128)),  # a real Siemens image of 76 rows and 128 columns
        ([0, 256, 0, 230], "ROW", (256, 230)),  # a real one of United Imaging, of 512 rows and 460 columns
        ([0, 64, 52, 0], "ROW", (64, 52)),
        ([128, 0, 0, 128], "", (128, 128)),
        ([128, 0, 0, 76], "", None),
        ([0, 0, 0, 0], "COL", None),
    ],
)
def test_rows_and_columns_that_were_acquired(
    matrix: list[int], direction: str, acquired: tuple[int, int] | None
) -> None:
    assert values(AcquisitionMatrix=matrix, InPlanePhaseEncodingDirection=direction)["acquired_matrix"] == acquired
