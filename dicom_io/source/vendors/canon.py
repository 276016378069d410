"""Canon and Toshiba: what the standard's own elements say, and nothing assumed.

By document only: no image of a scanner was at hand. Manufacturer is "TOSHIBA" or "TOSHIBA_MEC", and since the
change of the name "CANON_MEC" (public Galan 3T headers). Headers are sparse: no private element is needed to
read them, and none is known that states the unit of phase.
"""

from __future__ import annotations

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.vendors.scale import Scale, component_by_any_value, strict_scale
from recon.types import FloatArray

NAME = "canon"


def recognises(elements: Elements) -> bool:
    """Manufacturer is "TOSHIBA", "TOSHIBA_MEC", "CANON_MEC" or begins alike."""
    return elements.text("Manufacturer").upper().startswith(("TOSHIBA", "CANON"))


def component(elements: Elements) -> Component | None:
    """Look for the value of ImageType that names one: its place may differ between releases."""
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
