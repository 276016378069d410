"""Which images are not the signal of a gradient echo, by the elements of the standard and of each vendor."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from dicom_io.source.elements import Elements
from dicom_io.source.kinds import image_kind, sequence_kind
from dicom_io.source.vendors import ge, philips, siemens


def elements(**values: object) -> Elements:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return Elements(dataset)


def private(group: int, creator: str, element: int, vr: str, value: object) -> Elements:
    dataset = Dataset()
    dataset.private_block(group, creator, create=True).add_new(element, vr, value)
    return Elements(dataset)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"ScanningSequence": "GR"}, ""),
        ({"ScanningSequence": "RM"}, ""),  # research mode: real gradient echoes of GE and Siemens
        ({}, ""),
        ({"ScanningSequence": ["EP", "GR"]}, "epi"),
        ({"ScanningSequence": ["EP", "SE"]}, "epi"),
        ({"ScanningSequence": "RM", "SequenceName": "*epfid2d1_64"}, "epi"),
        ({"SequenceName": "SEEPI2D+0.7"}, "epi"),  # Canon
        ({"SequenceName": "epi_dti"}, "epi"),  # United Imaging
        ({"EchoPlanarPulseSequence": "YES"}, "epi"),
        ({"EchoPlanarPulseSequence": "NO", "SequenceName": "*fl3d4r"}, ""),
        ({"ScanningSequence": "SE"}, "not-gradient-echo"),
        ({"ScanningSequence": ["SE", "GR"]}, "not-gradient-echo"),
        ({"EchoPulseSequence": "BOTH"}, "not-gradient-echo"),
        ({"EchoPulseSequence": "GRADIENT"}, ""),
        ({"ScanningSequence": ["GR", "IR"]}, "inversion-recovery"),
        ({"ScanningSequence": "GR", "InversionTime": "450"}, "inversion-recovery"),
        ({"ScanningSequence": "GR", "InversionTime": "0"}, ""),
        ({"InversionRecovery": "YES"}, "inversion-recovery"),
        ({"InversionRecovery": "NO", "InversionTime": "450"}, ""),
        ({"InversionTimes": [750.0]}, "inversion-recovery"),
        ({"PhaseContrast": "YES"}, "velocity-encoded"),
        ({"PhaseContrast": "NO"}, ""),
        ({"VelocityEncodingMinimumValue": -80.0, "VelocityEncodingMaximumValue": 80.0}, "velocity-encoded"),
        ({"VelocityEncodingMinimumValue": 0.0, "VelocityEncodingMaximumValue": 0.0}, ""),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "VELOCITY", "NONE"]}, "velocity-encoded"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M_PCA", "M", "PCA"]}, "velocity-encoded"),
        ({"RescaleType": "cm/s"}, "velocity-encoded"),
    ],
)
def test_pulse_sequences_of_another_kind(values: dict[str, object], kind: str) -> None:
    assert sequence_kind(elements(**values)) == kind


@pytest.mark.parametrize(
    ("image_type", "kind"),
    [
        (r"ORIGINAL\PRIMARY\M\ND\NORM", ""),
        (r"ORIGINAL\PRIMARY\P\DIS2D\MFSPLIT", ""),
        (r"ORIGINAL\PRIMARY\PHASE MAP\P\FFE", ""),
        (r"ORIGINAL\PRIMARY\GDC", ""),
        (r"ORIGINAL\PRIMARY\B0 MAP\B0\UNSPECIFIED", "field-map"),  # Philips R5
        (r"ORIGINAL\PRIMARY\B0\B0\UNSPECIFIED", "field-map"),  # Philips R11
        (r"ORIGINAL\PRIMARY\T1\FIELD_MAP", "field-map"),  # Philips Enhanced, whose component is REAL
        (r"ORIGINAL\PRIMARY\M\SWI\NORM", "weighted-image"),
        (r"ORIGINAL\PRIMARY\M\MNIP", "weighted-image"),
        (r"ORIGINAL\PRIMARY\T2_STAR_MAP\NONE", "processed-image"),
        (r"ORIGINAL\PRIMARY\M\ND\MEAN", "mean-of-echoes"),
        (r"ORIGINAL\PRIMARY\OTHER\QSM", "susceptibility-map"),
    ],
)
def test_image_types_that_are_not_a_component(image_type: str, kind: str) -> None:
    assert image_kind(elements(ImageType=image_type.split("\\"))) == kind


@pytest.mark.parametrize(
    ("unit", "kind"),
    [("Hz", "field-map"), ("rad/s", "field-map"), ("ppb", "susceptibility-map"), ("ms", "processed-image")]
    + [(unit, "") for unit in ("US", "mrad", "rad", "normalized", "")],
)
def test_units_that_are_not_those_of_a_component(unit: str, kind: str) -> None:
    coded, mapping = Dataset(), Dataset()
    coded.CodeValue = unit
    mapping.MeasurementUnitsCodeSequence = [coded]
    assert image_kind(elements(RescaleType=unit)) == kind
    assert image_kind(elements(RealWorldValueMappingSequence=[mapping])) == kind


@pytest.mark.parametrize(("factor", "kind"), [(57, "epi"), (1, ""), (0, "")])
def test_philips_states_the_epi_factor(factor: int, kind: str) -> None:
    assert philips.other_kind(private(0x2001, "Philips Imaging DD 001", 0x13, "SL", factor)) == kind


def test_philips_states_velocity_and_inversion_privately() -> None:
    assert philips.other_kind(private(0x2001, "Philips Imaging DD 001", 0x1A, "FL", [0.0, 0.0, 80.0])) == (
        "velocity-encoded"
    )
    assert philips.other_kind(private(0x2001, "Philips Imaging DD 001", 0x1A, "FL", [0.0, 0.0, 0.0])) == ""
    assert philips.other_kind(private(0x2001, "Philips Imaging DD 001", 0x1C, "CS", "INV")) == "inversion-recovery"
    assert philips.other_kind(private(0x2001, "Philips Imaging DD 001", 0x1C, "CS", "NO")) == ""


@pytest.mark.parametrize(
    ("name", "kind"), [("*fl3d1r_v80in", "velocity-encoded"), ("*fl3d6r", ""), ("*tfl3d1_16ns", ""), ("*gre_v2", "")]
)
def test_siemens_names_the_encoded_velocity(name: str, kind: str) -> None:
    assert siemens.other_kind(elements(SequenceName=name)) == kind
    assert siemens.other_kind(elements(PulseSequenceName=name)) == kind


def test_siemens_states_the_encoded_velocity_privately() -> None:
    assert siemens.other_kind(private(0x0051, "SIEMENS MR HEADER", 0x14, "SH", "v150in")) == "velocity-encoded"
    assert siemens.other_kind(private(0x0051, "SIEMENS MR HEADER", 0x14, "SH", "")) == ""


@pytest.mark.parametrize("name", ["B0map", "B0rf", "3db0map"])
def test_ge_names_field_maps_by_their_sequence(name: str) -> None:
    assert ge.other_kind(private(0x0019, "GEMS_ACQU_01", 0x9C, "LO", name)) == "field-map"
    assert ge.other_kind(private(0x0019, "GEMS_ACQU_01", 0x9E, "LO", name)) == "field-map"


def test_ge_states_the_encoded_velocity() -> None:
    assert ge.other_kind(private(0x0019, "GEMS_ACQU_01", 0xCC, "SS", 80)) == "velocity-encoded"
    assert ge.other_kind(private(0x0019, "GEMS_ACQU_01", 0xCC, "SS", 0)) == ""
    assert ge.other_kind(private(0x0019, "GEMS_ACQU_01", 0x9C, "LO", "efgre3d")) == ""
