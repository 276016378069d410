"""What the standard's own elements say of an image: its component, and the linear meaning of its stored values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.kinds import image_kind

_RADIANS_PER_UNIT: Final[Mapping[str, float]] = MappingProxyType(
    {
        **dict.fromkeys(("rad", "radian", "radians"), 1.0),
        **dict.fromkeys(("mrad", "milliradian", "milliradians"), 1e-3),
        **dict.fromkeys(("deg", "degree", "degrees"), math.pi / 180),
    }
)
_RANGE_TOLERANCE: Final = 5e-3
"""Relative deviation of the ends of a phase range from ±π: rescale slopes are written with few digits."""

_COMPONENT_OF_TERM: Final[Mapping[str, Component]] = MappingProxyType(
    {name: component for component in Component for name in (component.name[0], component.name)}
)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """``value = stored * slope + intercept``.

    Values of different images are on one scale only if ``is_common``, or if their slopes are equal.
    """

    slope: float
    intercept: float
    is_common: bool = True

    def times(self, factor: float) -> Scale:
        """Convert the value to another unit."""
        return replace(self, slope=self.slope * factor, intercept=self.intercept * factor)


@dataclass(frozen=True, kw_only=True)
class ScanSettings:
    """How the scan was made, where the header states it; None or empty where it does not.

    Parameters
    ----------
    readout
        ``"monopolar"`` or ``"bipolar"``: whether the readout gradient has one polarity in all echoes.
    coil_combination
        ``"adaptive combine"`` or ``"sum of squares"``.
    partial_fourier
        Whether a part of k-space was left out along phase, slice or readout.
    corners_left_out
        Whether the corners of k-space were left out (elliptical shutter).
    flow_compensated
        Whether gradients compensate for flow in any direction.
    filtered
        Whether the scanner filtered the images.
    """

    readout: str = ""
    coil_combination: str = ""
    partial_fourier: bool | None = None
    corners_left_out: bool | None = None
    flow_compensated: bool | None = None
    filtered: bool | None = None


_PARTIAL_FOURIER: Final = frozenset({"PFP", "PFF"})
_YES_OR_NO: Final = MappingProxyType({"YES": True, "NO": False})


def scan_settings(elements: Elements) -> ScanSettings:
    """Read ScanOptions (PS3.3 C.8.3.1), and PartialFourier and FlowCompensation of Enhanced MR (C.8.13.5).

    A list of options that names neither partial Fourier nor flow compensation does not say that there was none.
    """
    options, flow = frozenset(elements.texts("ScanOptions")), elements.text("FlowCompensation")
    partial = _YES_OR_NO.get(elements.text("PartialFourier"))
    return ScanSettings(
        partial_fourier=True if options & _PARTIAL_FOURIER else partial,
        flow_compensated=True if "FC" in options else flow != "NONE" if flow else None,
    )


def complex_component(elements: Elements) -> str:
    """ComplexImageComponent; empty where it is missing, or MIXED, which the object is, and no frame of it."""
    stated = elements.text("ComplexImageComponent")
    return "" if stated == "MIXED" else stated


def component(elements: Elements, *places: int) -> Component | None:
    """Component from ComplexImageComponent, or from ImageType.

    ``places`` are indices in ImageType, of which the first that names a component counts. Without any, for scanners
    whose use of ImageType is not known, the only name after the second value counts; two different names are ambiguous.
    """
    image_type = elements.texts("ImageType")
    if image_kind(elements):
        return None
    if stated := complex_component(elements):
        return _COMPONENT_OF_TERM.get(stated)
    terms = [image_type[place] for place in places if place < len(image_type)] if places else image_type[2:]
    named = list(dict.fromkeys(_COMPONENT_OF_TERM[term] for term in terms if term in _COMPONENT_OF_TERM))
    return named[0] if len(named) == 1 or (places and named) else None


def component_or_magnitude(elements: Elements) -> Component | None:
    """Component, for scanners whose magnitude images name none: magnitude where no value of ImageType does."""
    unnamed = _COMPONENT_OF_TERM.keys().isdisjoint(elements.texts("ImageType")[2:])
    if unnamed and not complex_component(elements) and elements.texts("ImageType"):
        return None if image_kind(elements) else Component.MAGNITUDE
    return component(elements)


def value_scale(elements: Elements, component: Component) -> Scale | None:
    """Phase by its stated unit, or by a range of one turn; all other components by the rescale."""
    if component is Component.PHASE:
        return radians_by_unit(elements) or radians_by_range(elements)
    return linear(elements)


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
    """Scale of phase whose unit is stated in the header: RescaleType, or Real World Value Mapping."""
    scale = rescale(elements)
    factor = _RADIANS_PER_UNIT.get(elements.text("RescaleType").lower())
    if scale is not None and factor is not None:
        return scale.times(factor)
    for mapping in elements.items("RealWorldValueMappingSequence"):
        slope = mapping.number("RealWorldValueSlope")
        intercept = mapping.number("RealWorldValueIntercept")
        for unit in mapping.items("MeasurementUnitsCodeSequence"):
            factor = _RADIANS_PER_UNIT.get(unit.text("CodeValue").lower())
            if factor is not None and slope and intercept is not None:
                return Scale(slope=slope, intercept=intercept).times(factor)
    return None


def radians_by_range(elements: Elements) -> Scale | None:
    """Scale of phase whose rescale takes the whole stored range to one turn about zero, ±π or ±1000·π.

    For scanners that state no unit: nothing but a phase in radians or milliradians has that range.
    """
    scale, bits = rescale(elements), elements.integer("BitsStored")
    if scale is None or bits is None:
        return None
    lowest = -(2 ** (bits - 1)) if elements.integer("PixelRepresentation") == 1 else 0
    ends = (lowest * scale.slope + scale.intercept, (lowest + 2**bits - 1) * scale.slope + scale.intercept)
    for factor in (1.0, 1e-3):
        close = (abs(abs(end) * factor - math.pi) <= _RANGE_TOLERANCE * math.pi for end in ends)
        if ends[0] < 0 < ends[1] and all(close):
            return scale.times(factor)
    return None
