"""Is the field one that a head makes? Its sign and its smooth part against what air and tissue must cause."""

from __future__ import annotations

from dataclasses import dataclass, field

from recon.mask import BrainMask
from recon.types import BoolArray, FloatArray, GradientEcho


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What was found.

    Parameters
    ----------
    warnings
        In sentences.
    figures
        Named, the unit in the name.
    """

    warnings: tuple[str, ...] = ()
    figures: dict[str, float] = field(default_factory=dict)


def judge_field(echoes: GradientEcho, field_ppm: FloatArray, head: BoolArray, brain: BrainMask) -> Judgement:
    """Stub."""
    return Judgement()
