"""Philips: magnitude and phase of all echoes in one series; phase in milliradians after the rescale.

Evidence: Ingenia Elition X, release 5.7 (classic images). From documentation only, not tested on scanner data: Enhanced
MR, real and imaginary, Real World Value Mapping. Field maps are stored as ``B0`` images, not as phase. Echo planar
images state ScanningSequence GR, and the number of echoes of a train in the EPI factor.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements, Private
from dicom_io.source.vendors import standard
from dicom_io.source.vendors.standard import Scale, ScanSettings

SLICES: Final = Private(0x2001, "Philips Imaging DD 001", 0x18, "SL")
ECHOES: Final = Private(0x2001, "Philips Imaging DD 001", 0x14, "SL")
"""NumberOfSlicesMR and NumberOfEchoes."""

_EPI_FACTOR: Final = Private(0x2001, "Philips Imaging DD 001", 0x13, "SL")
_VELOCITY: Final = Private(0x2001, "Philips Imaging DD 001", 0x1A, "FL")
_PREPULSE: Final = Private(0x2001, "Philips Imaging DD 001", 0x1C, "CS")
_SCALE_SLOPE: Final = Private(0x2005, "Philips MR Imaging DD 001", 0x0E, "FL")
_COMPONENT_OF_KIND: Final = {
    "M_FFE": Component.MAGNITUDE,
    "PHASE MAP": Component.PHASE,
    "R_FFE": Component.REAL,
    "I_FFE": Component.IMAGINARY,
}


def component(elements: Elements) -> Component | None:
    r"""Fourth value of ImageType: ``..\M_FFE\M\FFE``, ``..\PHASE MAP\P\FFE``.

    Archives that convert to Legacy Enhanced MR keep the third value only.
    Phase-contrast velocity (``VELOCITY MAP\P\PCA``) says "P" as well and is not the phase of an echo.
    """
    image_type = elements.texts("ImageType")
    if any("VELOCITY" in value or value == "PCA" for value in image_type):
        return None
    found = standard.component(elements, 3)
    if found is None and len(image_type) > 2 and not standard.complex_component(elements):
        return _COMPONENT_OF_KIND.get(image_type[2])
    return found


def other_kind(elements: Elements) -> str:
    """Code of a scan that is not a plain gradient echo: EPI factor above 1, an encoded velocity, an inversion."""
    if (elements.number(_EPI_FACTOR) or 0) > 1:
        return "epi"
    if any(elements.numbers(_VELOCITY)):
        return "velocity-encoded"
    return "inversion-recovery" if elements.text(_PREPULSE).startswith("INV") else ""


def value_scale(elements: Elements, component: Component) -> Scale | None:
    """Phase by its stated unit; magnitude in the floating point values that images share.

    Phase: RescaleType ``mrad``, slope 1.534, intercept -3142. Releases that state no unit are accepted where
    the intercept is -π in milliradians, exports where it is -π in radians. Magnitude: each image has a display slope of
    its own; dividing it out with the private scale slope (2005,100E), ``(stored·RS + RI) / (RS·SS)``, gives
    comparable values. Without that element, real and imaginary images with different display slopes are on scales that
    nothing states.
    """
    if component is Component.PHASE:
        return standard.radians_by_unit(elements) or _by_intercept(elements)
    display = standard.linear(elements)
    scale_slope = elements.number(_SCALE_SLOPE)
    if scale_slope is None or scale_slope <= 0:
        return replace(display, is_common=False)
    return Scale(slope=1 / scale_slope, intercept=display.intercept / (display.slope * scale_slope))


def scan_settings(elements: Elements) -> ScanSettings:
    """Add to the standard's elements whether the corners of k-space were left out: PercentSampling is then 100·π/4."""
    percent = elements.number("PercentSampling")
    corners = None if percent is None else math.isclose(percent, 25 * math.pi, rel_tol=1e-4)
    return replace(standard.scan_settings(elements), corners_left_out=corners or None)


def _by_intercept(elements: Elements) -> Scale | None:
    if (scale := standard.rescale(elements)) is None:
        return None
    units = (scale.times(factor) for factor in (1e-3, 1.0))
    return next((unit for unit in units if math.isclose(unit.intercept, -math.pi, rel_tol=5e-3)), None)
