"""A derived volume that says how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recon.types import FloatArray


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A derived volume on the grid of the acquisition.

    Parameters
    ----------
    name
        Key of :data:`recon.products.contrasts.table.CONTRASTS`.
    volume
        ``(x, y, z)`` float32, finite.
    unit
        UCUM code: ``"1/s"``, ``"Hz"``, ``"[ppb]"``, or ``"1"`` for a weighted image of arbitrary scale.
    title
        For people, free of units.
    parameters
        Every setting that influenced the volume, the unit in the name.
    references
        DOI of each method that ran.
    warnings
        What a reader of the volume has to know, in sentences.
    """

    name: str
    volume: FloatArray
    unit: str
    title: str
    parameters: Mapping[str, str | float | int | bool]
    references: tuple[str, ...]
    warnings: tuple[str, ...]
