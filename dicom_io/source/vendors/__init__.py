"""How vendors store complex gradient echoes: one table, and one file for each vendor that goes beyond the standard.

A row answers from the header what an image shows and what its stored values mean, and restores the phase of a whole
volume to the convention of ``recon.types`` (radians, growing with the field). To add a vendor: one row in ``VENDORS``
and one test; where the standard's own elements do not suffice, one file with the functions that differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements
from dicom_io.source.vendors import ge, philips, siemens, standard
from dicom_io.source.vendors.standard import Scale, ScanSettings
from recon.types import FloatArray


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """How one vendor's scanners write; by default, what the standard's own elements say and nothing more.

    Parameters
    ----------
    name
        Stable name, kept in headers.
    manufacturer
        What Manufacturer begins with, in capitals; any of these.
    open_magnets
        Regular expression of ManufacturerModelName, in any case, for magnets whose field is vertical
        (``dicom_io.source.main_field``); empty if none are known.
    component
        What the image shows; None if it is not a component of the complex signal.
    unnamed_is_magnitude
        Whether images that name no component are taken for magnitude.
    component_element
        Which element says what an image shows, for the message that it is missing.
    other_kind
        Code of ``dicom_io.refusals`` of images that the vendor's own elements tell to be something else than a gradient
        echo; empty if they do not. ``dicom_io.source.kinds`` asks the standard's elements.
    value_scale
        From stored values to radians (phase) or to one linear scale (all others); None if unknown.
    declared_slices, declared_echoes
        How many the scanner says there are; None if it does not say so reliably. EchoTrainLength is not a count of
        echoes: it counts lines of k-space (PS3.3 C.8.3.1).
    makes_phase_differences
        Whether the pulse sequence stores the difference between echoes in place of their phase.
    radians_per_step
        Unit of a phase whose unit no element states, from the largest stored value of the acquisition; None if
        unknown. None in place of the function where the header has to state the unit.
    scan_settings
        How the scan was made, for the check of the protocol (``dicom_io.protocol``).
    restore_phase
        Brings magnitude and phase ``(echo, x, y, z)`` to the convention of ``recon.types``, changing the phase in
        place. None where the phase grows with the field already, or no source says otherwise: PS3.3 does not define
        its sign.
    """

    name: str
    manufacturer: tuple[str, ...]
    open_magnets: str = ""
    component: Callable[[Elements], Component | None] = standard.component
    unnamed_is_magnitude: bool = False
    component_element: str = "ImageType or ComplexImageComponent"
    other_kind: Callable[[Elements], str] = lambda _: ""
    value_scale: Callable[[Elements, Component], Scale | None] = standard.value_scale
    declared_slices: Callable[[Elements], int | None] = lambda _: None
    declared_echoes: Callable[[Elements], int | None] = lambda _: None
    makes_phase_differences: Callable[[Elements], bool] = lambda _: False
    radians_per_step: Callable[[int], float | None] | None = None
    scan_settings: Callable[[Elements], ScanSettings] = standard.scan_settings
    restore_phase: Callable[[FloatArray, FloatArray], None] | None = None


VENDORS: Final = (
    Vendor(
        name="siemens",
        manufacturer=("SIEMENS",),  # "SIEMENS" (VB to VE), "Siemens Healthineers" (XA)
        open_magnets="MAGNETOM C!|CONCERTO|RHAPSODY|MAGNETOM OPEN",
        component=siemens.component,
        other_kind=siemens.other_kind,
        value_scale=siemens.value_scale,
        declared_slices=siemens.declared_slices,
        declared_echoes=siemens.declared_echoes,
        makes_phase_differences=siemens.makes_phase_differences,
        scan_settings=siemens.scan_settings,
    ),
    Vendor(
        name="ge",
        manufacturer=("GE ",),  # "GE MEDICAL SYSTEMS", "GE Healthcare"
        open_magnets="OVATION|OPENSPEED|PROFILE",
        component=ge.component,
        component_element="the private element (0043,102F)",
        other_kind=ge.other_kind,
        value_scale=ge.value_scale,
        declared_slices=lambda elements: elements.integer(ge.LOCATIONS),
        radians_per_step=ge.radians_per_step,
        restore_phase=ge.restore_phase,
    ),
    Vendor(
        name="philips",
        manufacturer=("PHILIPS",),
        open_magnets="PANORAMA",
        component=philips.component,
        other_kind=philips.other_kind,
        value_scale=philips.value_scale,
        declared_slices=lambda elements: elements.integer(philips.SLICES),
        declared_echoes=lambda elements: elements.integer(philips.ECHOES),
        scan_settings=philips.scan_settings,
    ),
    # All rows below: from documentation only; not tested on scanner data.
    # "CANON_MEC" since the company was renamed. No private element is needed or known. Magnitude names no component
    # (ORIGINAL\PRIMARY\GDC: public Galan 3T headers).
    Vendor(
        name="canon",
        manufacturer=("TOSHIBA", "CANON"),
        open_magnets=r"\b(OPART|ACCESS)\b",
        component=standard.component_or_magnitude,
        unnamed_is_magnitude=True,
    ),
    # Volumes tiled into one image carry "VFRAME" in ImageType (the vendor's public dictionary) and are rejected as
    # mosaics; the scale factor (0065,102F) is for the vendor's internal use and is not applied.
    Vendor(name="united-imaging", manufacturer=("UIH",)),
    # Conformance statements of Echelon V3.0 and AIRIS Vento V3.5: the standard's MR Image Storage.
    Vendor(name="hitachi", manufacturer=("HITACHI", "FUJIFILM"), open_magnets="AIRIS|APERTO|ALTAIRE|OASIS"),
    # ParaVision's exports do not all name the component in ImageType (dicomifier #26): then the image is not read.
    Vendor(name="bruker", manufacturer=("BRUKER",)),
    Vendor(name="generic", manufacturer=("",), component=lambda elements: standard.component(elements, 2, 3)),
)
"""The first whose ``manufacturer`` fits reads the image; ``generic`` reads what no other does."""


def vendor_of(elements: Elements) -> Vendor:
    """Find the vendor whose scanner made the image."""
    manufacturer = elements.text("Manufacturer").upper()
    return next(vendor for vendor in VENDORS if manufacturer.startswith(vendor.manufacturer))


def vendor_named(name: str) -> Vendor:
    """Find a vendor by its ``name``."""
    return next(vendor for vendor in VENDORS if name == vendor.name)
