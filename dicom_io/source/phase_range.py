"""Whether phase is wrapped at whole turns, as its unit implies: the values themselves show a scale that is wrong."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from dicom_io.refusals import refuse
from recon.types import FloatArray

_RANGE_TOLERANCE: Final = 0.05
"""Relative difference of the range of values from one turn: few wraps, or few digits of a slope."""

_JUMP: Final = 0.75
"""Share of the range from which the step between neighbours is a jump from one end of it to the other."""

_FEWEST_JUMPS: Final = 50
_SMALLEST_SHARE: Final = 1e-3
"""Of all steps. Noise makes one in 16 of them a jump, and every wrap some; unwrapped or flat phase has none."""

_SLICES: Final = 16
"""Slices in which jumps are counted: enough for all of them, and quick."""


def check_phase_range(phase_rad: FloatArray) -> None:
    """Refuse phase ``(echo, x, y, z)`` that jumps by something else than a turn: its scale is not the stated one.

    An export that changed BitsStored, or rescaled the values and left the rescale, leaves such phase. Unwrapped phase,
    and phase too flat to wrap, has no jumps.

    Raises
    ------
    Refusal
        ``phase-range``.
    """
    step = max(1, phase_rad.shape[-1] // _SLICES)
    for number, echo_rad in enumerate(phase_rad, start=1):
        lowest, highest = float(echo_rad.min()), float(echo_rad.max())
        span = highest - lowest
        if abs(span - 2 * math.pi) <= _RANGE_TOLERANCE * 2 * math.pi:
            continue
        jumps = np.abs(np.diff(echo_rad[..., ::step], axis=0)) > _JUMP * span
        count = int(np.count_nonzero(jumps))
        if count >= max(_FEWEST_JUMPS, _SMALLEST_SHARE * jumps.size):
            raise refuse("phase-range", echo=number, lowest=f"{lowest:.2f}", highest=f"{highest:.2f}")
