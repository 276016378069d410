"""Siemens: magnitude and phase in series of their own; phase over the full stored range.

Evidence: Prisma VE11 and Prisma Fit XA30 images (classic; Enhanced; split from Enhanced, "MFSPLIT"). From documentation
only, not tested on scanner data: real and imaginary images, phase without a rescale.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements, Private
from dicom_io.source.vendors import standard
from dicom_io.source.vendors.standard import Scale, ScanSettings

_PROTOCOL: Final = (
    Private(0x0029, "SIEMENS CSA HEADER", 0x20),
    Private(0x0021, "SIEMENS MR SDS 01", 0x19),
)  # VB to VE; XA
_SLICES: Final = re.compile(rb"sSliceArray\.lSize\s*=\s*(\d{1,5})")
_PARTITIONS: Final = re.compile(rb"sKSpace\.lImagesPerSlab\s*=\s*(\d{1,5})")
_READOUT: Final = re.compile(rb"ucReadOutMode\s*=\s*(0x[0-9a-f]{1,8}|\d{1,8})")
_COMBINATION: Final = re.compile(rb"ucCoilCombineMode\s*=\s*(0x[0-9a-f]{1,8}|\d{1,8})")
_PARTIAL_FOURIER: Final = re.compile(rb"sKSpace\.uc(?:Phase|Slice)PartialFourier\s*=\s*(0x[0-9a-f]{1,8}|\d{1,8})")
_READOUTS: Final[Mapping[int, str]] = MappingProxyType({1: "monopolar", 2: "bipolar"})
_COMBINATIONS: Final[Mapping[int, str]] = MappingProxyType({1: "sum of squares", 2: "adaptive combine"})
_FULL_FOURIER: Final = 16
_PARTIAL_PERMITTED: Final = 32
"""Codes of the measurement protocol; the other codes of partial Fourier are fractions (6/8 is 4, 7/8 is 8)."""

_ENCODING: Final = Private(0x0051, "SIEMENS MR HEADER", 0x14)
_VELOCITY_NAME: Final = re.compile(r"_v\d+[a-z]{2}", re.IGNORECASE)
_VELOCITY: Final = re.compile(r"v\d+", re.IGNORECASE)
_BALANCED_NAME: Final = re.compile(r"\*?(tfi|ci)[23]d", re.IGNORECASE)
"""TrueFISP (``*tfi3d1``) and CISS (``*ci3d1``)."""

_ECHOES: Final = re.compile(r"\*?[a-z_]+[23]d(\d{1,3})", re.IGNORECASE)


def component(elements: Elements) -> Component | None:
    r"""Third value of ImageType: ``ORIGINAL\PRIMARY\P\ND`` (VE11), ``...\P\DIS2D\MFSPLIT`` (XA30)."""
    return standard.component(elements, 2)


def other_kind(elements: Elements) -> str:
    """Code of a balanced sequence, by its name, or of velocity encoding: in the name (``*fl3d1r_v80in``) or private."""
    names = (elements.text("SequenceName"), elements.text("PulseSequenceName"))
    if any(_BALANCED_NAME.match(name) for name in names):
        return "balanced"
    encoded = any(_VELOCITY_NAME.search(name) for name in names) or _VELOCITY.match(elements.text(_ENCODING))
    return "velocity-encoded" if encoded else ""


def value_scale(elements: Elements, component: Component) -> Scale | None:
    """Phase spans -π to π over the stored range.

    VE11 and XA30 write slope 2 and intercept -4096 for 12 bits: the rescaled ±4096 is ±π. Exports without
    the rescale leave 0 to 4095. Any rescale that is not symmetric over the stored range has another meaning.
    """
    if component is Component.MAGNITUDE:
        return standard.linear(elements)
    if component is not Component.PHASE:
        return standard.rescale(elements)  # real and imaginary are offset binary; without the offset they mean nothing
    half_range = 2.0 ** ((elements.integer("BitsStored") or 12) - 1)
    stated = standard.rescale(elements)
    if stated is not None and (stated.slope, stated.intercept) != (1.0, 0.0):
        if not math.isclose(stated.intercept, -stated.slope * half_range, rel_tol=1e-3):
            return None
    elif elements.integer("PixelRepresentation") == 1:
        return None
    return Scale(slope=math.pi / half_range, intercept=-math.pi)


def declared_slices(elements: Elements) -> int | None:
    """Slices (2D) or partitions (3D) of the measurement protocol, kept as text in a private element.

    ``lImagesPerSlab`` does not count slice oversampling. Several slabs, and distortion correction in three dimensions,
    give another number of slices; for these no count is returned.
    """
    protocol = _measurement_protocol(elements)
    if not protocol or "DIS3D" in elements.texts("ImageType"):
        return None
    groups = _SLICES.search(protocol)
    partitions = _PARTITIONS.search(protocol)
    if groups is None or partitions is None:
        return None
    if elements.text("MRAcquisitionType") == "2D":
        return int(groups[1])
    return int(partitions[1]) if int(groups[1]) == 1 else None


def _measurement_protocol(elements: Elements) -> bytes:
    """Return the text of the measurement protocol in force; empty if the image holds none."""
    protocol = next((text for text in (elements.raw(place) for place in _PROTOCOL) if text), b"")
    begin = protocol.rfind(b"### ASCCONV BEGIN")
    return protocol[begin:] if begin >= 0 else b""


def scan_settings(elements: Elements) -> ScanSettings:
    """Add what the measurement protocol states to the standard's elements; FIL in ImageType marks filtered images.

    Codes from public readers of these protocols; monopolar readout and adaptive combination also agree with VE11 and
    XA30 images. Asymmetric echoes are not looked at: no image shows their code.
    """
    found, protocol = standard.scan_settings(elements), _measurement_protocol(elements)
    partial = _codes(_PARTIAL_FOURIER, protocol)
    if partial == {_FULL_FOURIER}:
        found = replace(found, partial_fourier=False)
    elif partial - {_FULL_FOURIER, _PARTIAL_PERMITTED}:
        found = replace(found, partial_fourier=True)
    return replace(
        found,
        readout="".join(_READOUTS.get(code, "") for code in _codes(_READOUT, protocol)),
        coil_combination="".join(_COMBINATIONS.get(code, "") for code in _codes(_COMBINATION, protocol)),
        filtered=True if "FIL" in elements.texts("ImageType") else None,
    )


def _codes(pattern: re.Pattern[bytes], protocol: bytes) -> set[int]:
    """Return the different codes that a setting of the measurement protocol has."""
    return {int(code, 16 if code.startswith(b"0x") else 10) for code in pattern.findall(protocol)}


def declared_echoes(elements: Elements) -> int | None:
    """Take the number in the sequence's name (``*fl3d6r``), or EchoTrainLength where that states fewer.

    EchoTrainLength equals it in VE11's multi-echo sequence, and is 0 in field maps of VE11 and XA30.
    """
    name = elements.text("SequenceName") or elements.text("PulseSequenceName")
    in_name = _ECHOES.match(name)
    train = elements.integer("EchoTrainLength") or 0
    if in_name is None:
        return None
    return min(int(in_name[1]), train) if train > 0 else int(in_name[1])


def makes_phase_differences(elements: Elements) -> bool:
    """``gre_field_mapping`` runs the sequence ``*fm2d2r`` and stores one phase difference (VE11, XA30)."""
    names = (elements.text("SequenceName"), elements.text("PulseSequenceName"))
    return any(name.lower().removeprefix("*").startswith("fm2d") for name in names)
