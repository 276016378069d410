"""Bruker: Enhanced MR as ParaVision exports it, by the standard's own elements.

By document only: no image of a scanner was at hand. The kind of a reconstruction is not in ImageType in every export
(dicomifier #26), so that only what an image says of itself counts: ComplexImageComponent, or a value of ImageType.
"""

from __future__ import annotations

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.vendors.scale import Scale, component_by_any_value, strict_scale
from recon.types import FloatArray

NAME = "bruker"


def recognises(elements: Elements) -> bool:
    """Manufacturer is "Bruker BioSpin" or "Bruker BioSpin MRI GmbH"."""
    return elements.text("Manufacturer").upper().startswith("BRUKER")


def component(elements: Elements) -> Component | None:
    """ComplexImageComponent of the frame, else the value of ImageType that names one."""
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
