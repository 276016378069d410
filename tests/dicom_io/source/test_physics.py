"""Geometry and field strength from header values."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from dicom_io.errors import Refusal
from dicom_io.source.field_strength import b0_tesla
from dicom_io.source.geometry import axes, b0_direction, cross, dot, in_plane_position_mm, slice_position_mm
from dicom_io.source.header import ImageHeader, read_header
from recon.types import GAMMA_HZ_PER_TESLA


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


def test_axes_are_a_right_handed_frame(header: ImageHeader) -> None:
    row, column, normal = axes(header)
    assert dot(row, column) == pytest.approx(0, abs=1e-12)
    assert dot(cross(row, column), normal) == pytest.approx(1)


def test_the_field_direction_is_not_scaled_by_the_voxel_size(header: ImageHeader) -> None:
    stretched = dataclasses.replace(header, pixel_spacing_mm=(0.5, 5.0))
    assert b0_direction(stretched) == b0_direction(header)
    assert math.hypot(*b0_direction(header)) == pytest.approx(1)


def test_sagittal_and_coronal_slices(header: ImageHeader) -> None:
    sagittal = dataclasses.replace(header, image_orientation=(0, 1, 0, 0, 0, -1))
    assert b0_direction(sagittal) == pytest.approx((0, -1, 0))
    coronal = dataclasses.replace(header, image_orientation=(1, 0, 0, 0, 0, -1))
    assert b0_direction(coronal) == pytest.approx((0, -1, 0))
    assert axes(sagittal)[2] == pytest.approx((-1, 0, 0))


def test_positions_split_into_slice_and_plane(header: ImageHeader) -> None:
    row, column, normal = axes(header)
    moved_to = tuple(1.5 * r - 2.5 * c + 7.0 * n for r, c, n in zip(row, column, normal, strict=True))
    moved = dataclasses.replace(header, image_position_mm=moved_to)
    assert slice_position_mm(moved) == pytest.approx(7.0)
    assert in_plane_position_mm(moved) == pytest.approx((1.5, -2.5))
