"""Any other scanner, read strictly: only what the standard's own elements say, nothing assumed."""

from __future__ import annotations

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.vendors.scale import Scale, component_by_image_type, strict_scale
from recon.types import FloatArray

NAME = "generic"


def recognises(elements: Elements) -> bool:
    """Every image."""
    return True


def component(elements: Elements) -> Component | None:
    """ComplexImageComponent, else the third or fourth value of ImageType."""
    return component_by_image_type(elements, 2) or component_by_image_type(elements, 3)


def value_scale(elements: Elements, component: Component) -> Scale | None:
    """Phase needs a stated unit of radian or milliradian, or a rescale that spans one turn."""
    return strict_scale(elements, component)


def declared_slices(elements: Elements) -> int | None:
    """Not stated in a standard element."""
    return None


def declared_echoes(elements: Elements) -> int | None:
    """Not stated in a standard element: EchoTrainLength counts lines of k-space (PS3.3 C.8.3.1)."""
    return None


def makes_phase_differences(elements: Elements) -> bool:
    """Unknown, so decided by which echoes have a phase."""
    return False


def radians_per_step(peak: int) -> float | None:
    """Unknown: the unit has to be in the header."""
    return None


def restore_phase(magnitude: FloatArray, phase_rad: FloatArray) -> None:
    """Phase is taken to grow with the field, as PS3.3 does not define its sign."""
