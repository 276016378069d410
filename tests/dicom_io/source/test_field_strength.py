"""Field strength from header values."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from dicom_io.errors import Refusal
from dicom_io.source.field_strength import b0_tesla
from dicom_io.source.header import ImageHeader
from recon.types import GAMMA_HZ_PER_TESLA
from tests.support.synthetic import read_header


@pytest.fixture(scope="module")
def header(scans: dict[str, Path]) -> ImageHeader:
    return read_header(sorted(scans["siemens"].glob("*.dcm"))[0])


def with_strength(header: ImageHeader, nominal: float | None, frequency_mhz: float | None) -> ImageHeader:
    return dataclasses.replace(header, field_strength_t=nominal, imaging_frequency_mhz=frequency_mhz)


@pytest.mark.parametrize(
    ("nominal", "frequency_mhz", "tesla"),
    [
        (3.0, 123.25, 123.25e6 / GAMMA_HZ_PER_TESLA),  # "3 T" is 2.89 T
        (3.0, None, 3.0),
        (None, 63.87, 63.87e6 / GAMMA_HZ_PER_TESLA),
        (1.5, 638_700_000.0, 1.5),  # a frequency in other units is not used
        (15000.0, 63.87, 63.87e6 / GAMMA_HZ_PER_TESLA),  # gauss is not tesla
    ],
)
def test_measured_frequency_before_nominal_label(
    nominal: float | None, frequency_mhz: float | None, tesla: float, header: ImageHeader
) -> None:
    assert b0_tesla(with_strength(header, nominal, frequency_mhz)) == pytest.approx(tesla)


@pytest.mark.parametrize(
    ("nominal", "frequency_mhz", "code"),
    [
        (None, None, "no-field-strength"),
        (0.0, None, "no-field-strength"),
        (3.0, 63.87, "field-strength-conflict"),
        (3.0, 51.7, "field-strength-conflict"),  # phosphorus
    ],
)
def test_missing_or_contradicting_field_strength(
    nominal: float | None, frequency_mhz: float | None, code: str, header: ImageHeader
) -> None:
    with pytest.raises(Refusal) as refusal:
        b0_tesla(with_strength(header, nominal, frequency_mhz))
    assert refusal.value.code == code
