"""Linear meaning of stored values, and the parts of reading it that vendors share."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements

RADIANS_PER_UNIT: Final[Mapping[str, float]] = MappingProxyType(
    {"rad": 1.0, "radian": 1.0, "radians": 1.0, "mrad": 1e-3, "milliradian": 1e-3}
)
RANGE_TOLERANCE: Final = 5e-3
"""How far the ends of a phase's range may be from ±π, relatively: rescale slopes are written with few digits."""

COMPONENT_OF_TERM: Final[Mapping[str, Component]] = MappingProxyType(
    {
        "M": Component.MAGNITUDE,
        "P": Component.PHASE,
        "R": Component.REAL,
        "I": Component.IMAGINARY,
        "MAGNITUDE": Component.MAGNITUDE,
        "PHASE": Component.PHASE,
        "REAL": Component.REAL,
        "IMAGINARY": Component.IMAGINARY,
    }
)
# Results of susceptibility weighting and projections carry "M" too, but are no magnitude of an echo.
_NOT_A_COMPONENT: Final = frozenset({"SWI", "MNIP", "MIP", "MINIP", "PROJECTION IMAGE", "T2_STAR_MAP", "B0"})


@dataclass(frozen=True, kw_only=True)
class Scale:
    """``value = stored * slope + intercept``."""

    slope: float
    intercept: float


def rescale(elements: Elements) -> Scale | None:
    """Read the Modality LUT's rescale (PS3.3 C.11.1); None if the image has none."""
    slope, intercept = elements.number("RescaleSlope"), elements.number("RescaleIntercept")
    if slope is None or intercept is None or slope == 0:
        return None
    return Scale(slope=slope, intercept=intercept)


def linear(elements: Elements) -> Scale:
    """Rescale if there is one, else stored values as they are: for magnitude, real and imaginary."""
    return rescale(elements) or Scale(slope=1.0, intercept=0.0)


def radians_by_unit(elements: Elements) -> Scale | None:
    """Scale of phase whose unit is written in the header: RescaleType, or Real World Value Mapping."""
    scale = rescale(elements)
    factor = RADIANS_PER_UNIT.get(elements.text("RescaleType").lower())
    if scale is not None and factor is not None:
        return Scale(slope=scale.slope * factor, intercept=scale.intercept * factor)
    for mapping in elements.items("RealWorldValueMappingSequence"):
        slope = mapping.number("RealWorldValueSlope")
        intercept = mapping.number("RealWorldValueIntercept")
        for unit in mapping.items("MeasurementUnitsCodeSequence"):
            factor = RADIANS_PER_UNIT.get(unit.text("CodeValue").lower())
            if factor is not None and slope and intercept is not None:
                return Scale(slope=slope * factor, intercept=intercept * factor)
    return None


def radians_by_range(elements: Elements) -> Scale | None:
    """Scale of phase whose rescale takes the whole stored range to one turn about zero, ±π or ±1000·π.

    For scanners of whom no unit is known: nothing but a phase in radians or milliradians has that range.
    """
    scale, bits = rescale(elements), elements.integer("BitsStored")
    if scale is None or bits is None:
        return None
    lowest = -(2 ** (bits - 1)) if elements.integer("PixelRepresentation") == 1 else 0
    ends = (lowest * scale.slope + scale.intercept, (lowest + 2**bits - 1) * scale.slope + scale.intercept)
    for factor in (1.0, 1e-3):
        if all(abs(abs(end) * factor - math.pi) <= RANGE_TOLERANCE * math.pi for end in ends) and ends[0] < 0 < ends[1]:
            return Scale(slope=scale.slope * factor, intercept=scale.intercept * factor)
    return None


def strict_scale(elements: Elements, component: Component) -> Scale | None:
    """Scale by what the standard's own elements say: phase by its unit or its range, all else by the rescale."""
    if component is Component.PHASE:
        return radians_by_unit(elements) or radians_by_range(elements)
    return linear(elements)


def component_by_any_value(elements: Elements) -> Component | None:
    """Component from ComplexImageComponent, or from the one value of ImageType after the second that names one.

    For scanners of whom it is not known which value says so. Two values that contradict each other say nothing.
    """
    stated = component_by_image_type(elements, len(elements.texts("ImageType")))
    if stated is not None or _NOT_A_COMPONENT.intersection(elements.texts("ImageType")):
        return stated
    if elements.text("ComplexImageComponent"):
        return None
    found = {COMPONENT_OF_TERM[value] for value in elements.texts("ImageType")[2:] if value in COMPONENT_OF_TERM}
    return found.pop() if len(found) == 1 else None


def component_by_image_type(elements: Elements, index: int) -> Component | None:
    """Component from a value of ImageType, or from ComplexImageComponent where the image has it."""
    image_type = elements.texts("ImageType")
    if _NOT_A_COMPONENT.intersection(image_type):
        return None
    stated = elements.text("ComplexImageComponent")
    if stated:
        return COMPONENT_OF_TERM.get(stated)
    return COMPONENT_OF_TERM.get(image_type[index]) if len(image_type) > index else None
