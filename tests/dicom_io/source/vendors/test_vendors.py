"""What headers of each vendor say about components and units."""

from __future__ import annotations

import math

import pytest
from pydicom.dataset import Dataset

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.vendors import VENDORS, Vendor, ge, philips, siemens, vendor_named, vendor_of


def header(manufacturer: str = "", image_type: str = "", **values: object) -> Elements:
    dataset = Dataset()
    dataset.Manufacturer = manufacturer
    if image_type:
        dataset.ImageType = image_type.split("\\")
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return Elements(dataset)


@pytest.mark.parametrize(
    ("manufacturer", "vendor"),
    [
        ("SIEMENS", "siemens"),
        ("Siemens Healthineers", "siemens"),
        ("GE MEDICAL SYSTEMS", "ge"),
        ("GE Healthcare", "ge"),
        ("Philips Medical Systems", "philips"),
        ("Philips", "philips"),
        ("TOSHIBA", "canon"),
        ("TOSHIBA_MEC", "canon"),
        ("CANON_MEC", "canon"),
        ("UIH", "united-imaging"),
        ("Hitachi Medical Corporation", "hitachi"),
        ("FUJIFILM Healthcare Corporation", "hitachi"),
        ("Bruker BioSpin MRI GmbH", "bruker"),
        ("Acme", "generic"),
        ("", "generic"),
    ],
)
def test_the_manufacturer_decides(manufacturer: str, vendor: str) -> None:
    assert vendor_of(header(manufacturer)) is vendor_named(vendor)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_vendors_are_found_by_name(vendor: Vendor) -> None:
    assert vendor_named(vendor.name) is vendor


@pytest.mark.parametrize(
    ("manufacturer", "image_type", "component"),
    [
        ("SIEMENS", r"ORIGINAL\PRIMARY\M\ND\NORM", Component.MAGNITUDE),
        ("SIEMENS", r"ORIGINAL\PRIMARY\P\ND", Component.PHASE),
        ("SIEMENS", r"ORIGINAL\PRIMARY\M\SWI\NORM", None),
        ("SIEMENS", r"ORIGINAL\PRIMARY\M\MNIP", None),
        ("SIEMENS", r"ORIGINAL\PRIMARY\R\ND", Component.REAL),
        ("SIEMENS", r"ORIGINAL\PRIMARY", None),
        ("Philips", r"ORIGINAL\PRIMARY\M_FFE\M\FFE", Component.MAGNITUDE),
        ("Philips", r"ORIGINAL\PRIMARY\PHASE MAP\P\FFE", Component.PHASE),
        ("Philips", r"ORIGINAL\PRIMARY\VELOCITY MAP\P\PCA", None),
        ("Philips", r"ORIGINAL\PRIMARY\B0 MAP\B0\FFE", None),
        ("Philips", r"ORIGINAL\PRIMARY\I_FFE\I\FFE", Component.IMAGINARY),
        ("UIH", r"ORIGINAL\PRIMARY\PHASE", Component.PHASE),
        ("UIH", r"ORIGINAL\PRIMARY\NONE\P", Component.PHASE),
        ("UIH", r"ORIGINAL\PRIMARY\M\P", None),  # two values that contradict each other
        ("UIH", "", None),
        ("CANON_MEC", r"ORIGINAL\PRIMARY\M\SWI", None),
        ("Hitachi, Ltd.", r"ORIGINAL\PRIMARY\IMAGINARY", Component.IMAGINARY),
        ("Philips", r"ORIGINAL\PRIMARY\PHASE MAP\NONE", Component.PHASE),  # converted by an archive
        ("Philips", r"ORIGINAL\PRIMARY\B0 MAP\NONE", None),
    ],
)
def test_components(manufacturer: str, image_type: str, component: Component | None) -> None:
    elements = header(manufacturer, image_type)
    assert vendor_of(elements).component(elements) is component


def test_complex_image_component_wins_over_image_type() -> None:
    elements = header("SIEMENS", r"ORIGINAL\PRIMARY\M\NONE", ComplexImageComponent="PHASE")
    assert siemens.component(elements) is Component.PHASE


@pytest.mark.parametrize(("code", "component"), list(enumerate([*Component, None])))
def test_ge_distinguishes_components_by_a_private_element(code: int, component: Component | None) -> None:
    elements = header("GE MEDICAL SYSTEMS", r"ORIGINAL\PRIMARY\OTHER")
    block = elements.dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
    block.add_new(0x2F, "SS", code)
    assert ge.component(elements) is component


@pytest.mark.parametrize("rescale", [{"RescaleSlope": "2", "RescaleIntercept": "-4096"}, {}])
def test_siemens_phase_spans_a_turn_over_the_stored_range(rescale: dict[str, str]) -> None:
    scale = siemens.value_scale(header("SIEMENS", BitsStored=12, **rescale), Component.PHASE)
    assert scale is not None
    assert scale.intercept == -math.pi
    assert 4096 * scale.slope + scale.intercept == pytest.approx(math.pi)
    assert 2048 * scale.slope + scale.intercept == pytest.approx(0)


def test_siemens_real_without_its_offset_means_nothing() -> None:
    assert siemens.value_scale(header("SIEMENS", BitsStored=12), Component.REAL) is None


def test_philips_phase_without_a_unit_is_accepted_by_its_full_range_only() -> None:
    stated = {"RescaleSlope": "1.53455433455433", "RescaleIntercept": "-3142"}
    scale = philips.value_scale(header("Philips", **stated), Component.PHASE)
    assert scale is not None
    assert scale.intercept == pytest.approx(-math.pi, rel=1e-3)
    stated["RescaleIntercept"] = "-100"
    assert philips.value_scale(header("Philips", **stated), Component.PHASE) is None


def test_philips_phase_by_real_world_value_mapping() -> None:
    unit = Dataset()
    unit.CodeValue = "rad"
    mapping = Dataset()
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.001, -2.0
    mapping.MeasurementUnitsCodeSequence = [unit]
    scale = philips.value_scale(header("Philips", RealWorldValueMappingSequence=[mapping]), Component.PHASE)
    assert scale is not None
    assert (scale.slope, scale.intercept) == (0.001, -2.0)


def test_philips_magnitudes_with_other_display_slopes_are_comparable() -> None:
    """Floating point value is (stored · RS + RI) / (RS · SS), whatever the display slope RS."""
    values = []
    for display_slope, stored in ((1.5, 1000.0), (3.0, 1000.0)):
        elements = header("Philips", RescaleSlope=str(display_slope), RescaleIntercept="30")
        block = elements.dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
        block.add_new(0x0E, "FL", 0.25)
        scale = philips.value_scale(elements, Component.MAGNITUDE)
        assert scale is not None
        expected = (stored * display_slope + 30) / (display_slope * 0.25)
        assert stored * scale.slope + scale.intercept == pytest.approx(expected)
        values.append(scale.slope)
    assert values[0] == values[1]


def test_ge_polar_phase_needs_a_unit() -> None:
    plain = header("GE MEDICAL SYSTEMS", RescaleSlope="1", RescaleIntercept="0")
    assert ge.value_scale(plain, Component.PHASE) is None
    stated = header("GE MEDICAL SYSTEMS", RescaleSlope="1", RescaleIntercept="0", RescaleType="mrad")
    scale = ge.value_scale(stated, Component.PHASE)
    assert scale is not None
    assert scale.slope == 1e-3


STRICT = ["TOSHIBA", "UIH", "HITACHI", "Bruker BioSpin", "Acme"]


@pytest.mark.parametrize("manufacturer", STRICT)
@pytest.mark.parametrize(
    ("rescale", "slope"),
    [
        ({"RescaleSlope": "0.5", "RescaleIntercept": "-3", "RescaleType": "mrad"}, 0.5e-3),  # the unit is stated
        ({"RescaleSlope": "0.00153398", "RescaleIntercept": "-3.14159"}, 0.00153398),  # the range is ±π
        ({"RescaleSlope": "1.5345", "RescaleIntercept": "-3142"}, 1.5345e-3),  # the range is ±1000 π
        ({"RescaleSlope": "2", "RescaleIntercept": "-4096"}, None),
        ({"RescaleSlope": "0.00153398", "RescaleIntercept": "0"}, None),  # one turn, but not about zero
        ({}, None),
    ],
)
def test_without_scanner_data_phase_needs_a_unit_or_the_range_of_one_turn(
    manufacturer: str, rescale: dict[str, str], slope: float | None
) -> None:
    elements = header(manufacturer, r"ORIGINAL\PRIMARY\P", BitsStored=12, PixelRepresentation=0, **rescale)
    scale = vendor_of(elements).value_scale(elements, Component.PHASE)
    assert (scale and scale.slope) == (slope and pytest.approx(slope))


def test_only_ge_leaves_the_unit_to_the_values() -> None:
    assert [vendor.name for vendor in VENDORS if vendor.radians_per_step is not None] == ["ge"]


@pytest.mark.parametrize(
    ("peak", "unit"), [(3141, 1e-3), (3120, 1e-3), (4095, math.pi / 4096), (3000, None), (3600, None), (9000, None)]
)
def test_the_unit_of_ge_polar_phase_follows_from_the_largest_value(peak: int, unit: float | None) -> None:
    assert ge.radians_per_step(peak) == (unit and pytest.approx(unit))
