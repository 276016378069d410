"""Phase of NIfTI files in radians: their scale from the sidecar or from the values, their sign stated by a person.

BIDS states neither the sign of phase nor, with ``Units: "arbitrary"``, its scale, and converters differ. A scale is
taken from the values only where they fill one of the ranges that scanners and converters are known to write; the sign
is never guessed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from dicom_io.errors import Refusal
from dicom_io.source.phase_range import check_phase_range
from recon.errors import InvalidInputError
from recon.operators.wrap import wrap
from recon.types import FloatArray

SIGNS: Final = {"positive": 1, "negative": -1}
"""How phase may be stated to change where the field rises: it grows, or it falls."""

SIGN_KEY: Final = "PhaseSign"
"""Key of a phase sidecar that states the sign; BIDS has none of its own."""


class _Range(NamedTuple):
    """Stored values of one turn, with the stored value of phase 0."""

    lowest: float
    highest: float
    zero: float
    radians_per_unit: float


_RANGES: Final = (
    _Range(-math.pi, math.pi, 0.0, 1.0),
    _Range(0.0, 2 * math.pi, 0.0, 1.0),
    _Range(-1000 * math.pi, 1000 * math.pi, 0.0, 1e-3),
    _Range(-4096.0, 4095.0, 0.0, math.pi / 4096),  # Siemens with its rescale, as dcm2niix writes it
    _Range(0.0, 4095.0, 2048.0, math.pi / 2048),  # Siemens without
    _Range(-2048.0, 2047.0, 0.0, math.pi / 2048),
)
_FILLED: Final = 0.99
"""Share of a range that the values of all echoes must span: noise outside the head reaches both ends."""

_SLACK: Final = 0.005
"""Share of a range by which values may lie outside it: slopes are written with few digits."""


def phase_sign(stated: str | None, sidecars: Sequence[dict[str, Any]]) -> int:
    """Return the factor that makes phase grow with the field.

    Raises
    ------
    InvalidInputError
        Neither the user nor the sidecars state the sign, or they contradict each other.
    """
    said = {str(value) for one in sidecars if (value := one.get(SIGN_KEY)) is not None} | (
        {stated} if stated else set()
    )
    if not said:
        raise InvalidInputError(
            "The sign of the phase is not stated, and a wrong one turns paramagnetic into diamagnetic. Give "
            "--phase-sign positive if the phase grows where the field rises, negative if it falls, or write "
            f"{SIGN_KEY!r} into the sidecars of the phase"
        )
    if len(said) > 1 or not said <= SIGNS.keys():
        found = ", ".join(sorted(map(repr, said)))
        raise InvalidInputError(f"The sign of the phase is stated as {found}; expected one of {', '.join(SIGNS)}")
    return SIGNS[said.pop()]


def in_radians(stored: npt.NDArray[np.float32], units: set[str]) -> FloatArray:
    """Return phase ``(echo, x, y, z)`` in radians, wrapped to ±π.

    Parameters
    ----------
    stored
        Values of all echoes, which have one scale.
    units
        ``Units`` of the sidecars, as far as they state it: ``"rad"``, ``"arbitrary"``.

    Raises
    ------
    InvalidInputError
        The values are not finite, not wrapped at whole turns, or on no known scale.
    """
    if not np.isfinite(stored).all():
        raise InvalidInputError("The phase holds values that are not numbers; write 0 where there is no signal")
    if units - {"rad", "arbitrary"} or len(units) > 1:
        found = ", ".join(sorted(map(repr, units)))
        raise InvalidInputError(f"Units of the phase is {found}; expected 'rad' or 'arbitrary', the same for each echo")
    if units == {"rad"}:
        phase_rad = stored
        _check_turns(phase_rad)
    else:
        scale = _range_of(float(stored.min()), float(stored.max()))
        phase_rad = (stored - np.float32(scale.zero)) * np.float32(scale.radians_per_unit)
    return wrap(phase_rad)


def _range_of(lowest: float, highest: float) -> _Range:
    for scale in _RANGES:
        span = scale.highest - scale.lowest
        inside = lowest >= scale.lowest - _SLACK * span and highest <= scale.highest + _SLACK * span
        if inside and highest - lowest >= _FILLED * span:
            return scale
    known = ", ".join(f"{one.lowest:.5g} to {one.highest:.5g}" for one in _RANGES)
    raise InvalidInputError(
        f"The scale of the phase is not known: its values run from {lowest:g} to {highest:g}; expected one of the "
        f"ranges {known}. Convert it to radians and write 'rad' as Units into its sidecars"
    )


def _check_turns(phase_rad: FloatArray) -> None:
    """Refuse phase whose values span more than a turn, or jump by something else."""
    lowest, highest = float(phase_rad.min()), float(phase_rad.max())
    try:
        if highest - lowest > (1 + _SLACK) * 2 * math.pi:
            raise InvalidInputError("")
        check_phase_range(phase_rad)
    except (InvalidInputError, Refusal):
        raise InvalidInputError(
            f"By its sidecars the phase is in radians, and its values run from {lowest:.2f} to {highest:.2f}; expected "
            "wrapped phase, which jumps by whole turns (6.28). Give the phase as the scanner made it, or correct Units"
        ) from None
