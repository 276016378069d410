"""GE: magnitude, real and imaginary of all echoes in one series; slices alternate in sign, polarity inverted.

ImageType is the same for all of them; only the private (0043,102F) distinguishes them. The transform along the
slices of a 3D scan leaves a factor (-1)^z, and the phase falls where the field rises.

Evidence: the example processing of the QSM consensus (10.1002/mrm.30006) inverts GE's phase and no other's; the
alternation is measured on the images before it is undone. Polar phase is stored in thousandths of a radian, or with
4096 steps for π, as public converters found. Old multi-echo research sequences state one EchoTime for all echoes
(dcm2niix #359): no element is known that holds the true ones, so ``assess`` rejects equal times. Which element counts
the stored echoes differs by release: ImagesInAcquisition covers them. Field maps are stored in hertz, not as phase;
public headers (SIGNA Master, Architect) name their pulse sequence B0map, B0rf or 3db0map, and nothing else tells.
From documentation only; not tested on scanner data.
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np

from dicom_io.source.components import Component
from dicom_io.source.elements import Elements, Private
from dicom_io.source.vendors import standard
from dicom_io.source.vendors.standard import Scale
from recon.types import FloatArray

LOCATIONS: Final = Private(0x0021, "GEMS_RELA_01", 0x4F, "SS")
"""Locations in acquisition: how many slices there are."""

_PEAK_TOLERANCE: Final = 0.01

_IMAGE_TYPE: Final = Private(0x0043, "GEMS_PARM_01", 0x2F, "SS")
_PULSE_SEQUENCE: Final = (Private(0x0019, "GEMS_ACQU_01", 0x9C), Private(0x0019, "GEMS_ACQU_01", 0x9E))
"""Name of the pulse sequence, and its internal name."""

_FIELD_MAP: Final = re.compile(r"b0map|b0rf", re.IGNORECASE)
_BALANCED: Final = re.compile(r"fiesta", re.IGNORECASE)
_VELOCITY: Final = Private(0x0019, "GEMS_ACQU_01", 0xCC, "SS")
_COMPONENT_OF_CODE: Final = (Component.MAGNITUDE, Component.PHASE, Component.REAL, Component.IMAGINARY)


def component(elements: Elements) -> Component | None:
    """Image type (0043,102F): 0 magnitude, 1 phase, 2 real, 3 imaginary; ImageType where it is absent."""
    code = elements.integer(_IMAGE_TYPE)
    if code is None:
        return standard.component(elements, 2)
    return _COMPONENT_OF_CODE[code] if 0 <= code < len(_COMPONENT_OF_CODE) else None


def other_kind(elements: Elements) -> str:
    """Code of a field map in hertz, whose magnitude and map state the same image type, FIESTA, or velocity encoding."""
    names = [elements.text(name) for name in _PULSE_SEQUENCE]
    if any(map(_FIELD_MAP.search, names)):
        return "field-map"
    if any(map(_BALANCED.search, names)):
        return "balanced"
    return "velocity-encoded" if elements.number(_VELOCITY) else ""


def value_scale(elements: Elements, component: Component) -> Scale | None:
    """Real and imaginary as stored; polar phase by its stated unit, else by its range (``radians_per_step``)."""
    return standard.radians_by_unit(elements) if component is Component.PHASE else standard.linear(elements)


def radians_per_step(peak: int) -> float | None:
    """Identify the unit of polar phase from the largest stored value of all: 1/1000 rad, or π over 4096.

    Noise fills the whole turn, so the largest value of a volume is close to ±π. A peak that fits neither (a phase
    without noise, or masked) leaves the unit unknown.
    """
    for steps_per_half_turn in (1000 * math.pi, 4096.0):
        if (1 - _PEAK_TOLERANCE) * steps_per_half_turn <= peak <= steps_per_half_turn + 1:
            return math.pi / steps_per_half_turn
    return None


def restore_phase(magnitude: FloatArray, phase_rad: FloatArray) -> None:
    """Undo the alternation of slices where it is present, and invert the polarity.

    ``(echo, x, y, z)`` float32; the phase is changed in place.
    """
    undo_alternation(magnitude, phase_rad)
    np.negative(phase_rad, out=phase_rad)


def undo_alternation(magnitude: FloatArray, phase_rad: FloatArray) -> None:
    """Undo the alternation of slices where it is present; as in ``restore_phase``, the phase is changed in place."""
    if slices_alternate(magnitude[0], phase_rad[0]):
        odd = phase_rad[..., 1::2]
        odd += np.where(odd > 0, np.float32(-np.pi), np.float32(np.pi))


def slices_alternate(magnitude: FloatArray, phase_rad: FloatArray) -> bool:
    """Measure whether the signal ``(x, y, z)`` of neighbouring slices points in opposite directions.

    Neighbouring slices of anatomy point the same way in the complex plane, ``Σ Re(c_z* · c_{z+1}) > 0``, unless the
    sign alternates. Complex arithmetic: wraps do not matter, and bright voxels count most. To be measured in the echo
    with the shortest time, in which the field has turned the phase least.
    """
    agreement = 0.0
    for z in range(magnitude.shape[-1] - 1):
        weight = magnitude[..., z] * magnitude[..., z + 1]
        agreement += float(np.sum(weight * np.cos(phase_rad[..., z + 1] - phase_rad[..., z]), dtype=np.float64))
    return agreement < 0
