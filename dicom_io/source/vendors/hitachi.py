"""Hitachi and Fujifilm: what the standard's own elements say; many of the magnets have a vertical field.

By document only: no image of a scanner was at hand. Public conformance statements (Echelon V3.0, AIRIS Vento V3.5)
describe the standard's MR Image Storage; no private element is known that states the unit of phase. AIRIS, Aperto,
Altaire and Oasis are open magnets, whose field is vertical: ``dicom_io.source.magnets`` asks for it.
"""

from __future__ import annotations

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.vendors.scale import Scale, component_by_any_value, strict_scale
from recon.types import FloatArray

NAME = "hitachi"


def recognises(elements: Elements) -> bool:
    """Manufacturer is "Hitachi Medical Corporation", "Hitachi, Ltd." or "FUJIFILM Healthcare Corporation"."""
    return elements.text("Manufacturer").upper().startswith(("HITACHI", "FUJIFILM"))


def component(elements: Elements) -> Component | None:
    """Look for the value of ImageType that names one."""
    return component_by_any_value(elements)


def value_scale(elements: Elements, component: Component) -> Scale | None:
    """Phase needs a stated unit, or a rescale that spans one turn."""
    return strict_scale(elements, component)


def declared_slices(elements: Elements) -> int | None:
    """Not stated in an element whose meaning is known."""
    return None


def declared_echoes(elements: Elements) -> int | None:
    """Not stated in an element whose meaning is known."""
    return None


def makes_phase_differences(elements: Elements) -> bool:
    """Unknown, so decided by which echoes have a phase."""
    return False


def radians_per_step(peak: int) -> float | None:
    """Unknown: the unit has to be in the header."""
    return None


def restore_phase(magnitude: FloatArray, phase_rad: FloatArray) -> None:
    """Phase is taken to grow with the field; no document says otherwise."""
