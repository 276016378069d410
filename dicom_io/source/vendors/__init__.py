"""How vendors store complex gradient echoes: one file each, the same names in each, one table.

A vendor's file answers from the header what an image shows and what its stored values mean, and restores the
phase of a whole volume to the convention of ``recon.types`` (radians, growing with the field). To add a
vendor: one file, one row in ``VENDORS``, one test.
"""

from __future__ import annotations

from typing import Final, Protocol

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.vendors import bruker, canon, ge, generic, hitachi, philips, siemens, united_imaging
from dicom_io.source.vendors.scale import Scale
from recon.types import FloatArray


class Vendor(Protocol):
    """What each file of this package provides."""

    NAME: str

    def recognises(self, elements: Elements) -> bool:
        """Whether the image comes from this vendor's scanner."""

    def component(self, elements: Elements) -> Component | None:
        """Say what the image shows; None if it is no component of the complex signal."""

    def value_scale(self, elements: Elements, component: Component) -> Scale | None:
        """From stored values to radians (phase) or to one linear scale (all others); None if unknown."""

    def declared_slices(self, elements: Elements) -> int | None:
        """How many slices the scanner says the volume has; None if it does not say."""

    def declared_echoes(self, elements: Elements) -> int | None:
        """How many echoes the scanner says there are; None if it does not say so reliably."""

    def makes_phase_differences(self, elements: Elements) -> bool:
        """Whether the pulse sequence stores the difference between echoes in place of their phase."""

    def radians_per_step(self, peak: int) -> float | None:
        """Tell the unit of phase that no element states by the acquisition's largest stored value; None if unknown."""

    def restore_phase(self, magnitude: FloatArray, phase_rad: FloatArray) -> None:
        """Bring ``(echo, x, y, z)`` phase to the convention of ``recon.types``, in place."""


VENDORS: Final[tuple[Vendor, ...]] = (
    siemens,
    ge,
    philips,
    canon,
    united_imaging,
    hitachi,
    bruker,
    generic,
)
"""The first that recognises an image reads it; ``generic`` recognises all."""


def vendor_of(elements: Elements) -> Vendor:
    """Find the vendor whose scanner made the image."""
    return next(vendor for vendor in VENDORS if vendor.recognises(elements))


def vendor_named(name: str) -> Vendor:
    """Find a vendor by its ``NAME``."""
    return next(vendor for vendor in VENDORS if name == vendor.NAME)
