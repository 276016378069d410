"""Where slices are, from Image Plane attributes (PS3.3 C.7.6.2.1.1): pure functions on one header."""

from __future__ import annotations

import math
from typing import Final

from dicom_io.refusals import refuse
from dicom_io.source.header import ImageHeader
from dicom_io.source.magnets import Vector, b0_in_patient

ORTHONORMAL_TOLERANCE: Final = 1e-3
"""How far row and column directions may be from unit length and from a right angle."""


def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Vector product."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def axes(header: ImageHeader) -> tuple[Vector, Vector, Vector]:
    """Compute unit vectors of x (row direction), y (column direction) and z (cross product) in the patient.

    Raises
    ------
    Refusal
        ``no-geometry``: orientation or spacing is missing, or the directions are not orthonormal.
    """
    orientation, spacing_mm = header.image_orientation, header.pixel_spacing_mm
    if orientation is None:
        raise refuse("no-geometry", attribute="ImageOrientationPatient")
    if spacing_mm is None or min(spacing_mm) <= 0:
        raise refuse("no-geometry", attribute="PixelSpacing")
    row, column = orientation[:3], orientation[3:]
    errors = (abs(dot(row, row) - 1), abs(dot(column, column) - 1), abs(dot(row, column)))
    if max(errors) > ORTHONORMAL_TOLERANCE:
        raise refuse("no-geometry", attribute="ImageOrientationPatient")
    return row, column, cross(row, column)


def b0_direction(header: ImageHeader) -> Vector:
    """Express the main field in image axes: its components along row, column and normal, unit length.

    The magnet's axis is patient z for a patient lying in a horizontal-field scanner, head or feet first; the site
    states the field of open magnets (``dicom_io.source.magnets``).

    Raises
    ------
    Refusal
        ``no-geometry``, ``vertical-field``, ``no-patient-position``.
    """
    in_patient = b0_in_patient(header)
    row, column, normal = axes(header)
    field = (dot(row, in_patient), dot(column, in_patient), dot(normal, in_patient))
    length = math.sqrt(dot(field, field))
    return (field[0] / length, field[1] / length, field[2] / length)


def position_mm(header: ImageHeader) -> Vector:
    """Express ImagePositionPatient in image axes: along row and column, equal in a stack, and along the normal."""
    row, column, normal = axes(header)
    position = header.image_position_mm
    if position is None:
        raise refuse("no-geometry", attribute="ImagePositionPatient")
    return dot(position, row), dot(position, column), dot(position, normal)
