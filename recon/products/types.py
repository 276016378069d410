"""What is made beside the map, as data: contrasts and the regional report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recon.types import FloatArray


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A derived volume on the grid of the acquisition.

    Parameters
    ----------
    name
        Key of ``dicom_io.derived.products.PRODUCTS``.
    volume
        ``(x, y, z)`` float32, finite.
    unit
        UCUM code: ``"/s"``, ``"Hz"``, ``"[ppb]"``, or ``"1"`` for a weighted image of arbitrary scale.
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


@dataclass(frozen=True, kw_only=True)
class RegionMeasure:
    """Susceptibility of one nucleus on one side.

    Parameters
    ----------
    label
        Its number in ``RegionalReport.labels``.
    name
        Such as ``"pallidum"``, as ``recon.products.regions.nuclei`` names it.
    side
        ``"left"`` or ``"right"`` of the patient.
    mean_ppb, sd_ppb, median_ppb
        Over the voxels of the nucleus, relative to the map's reference.
    volume_mm3
        Of the nucleus as segmented.
    plausible
        Whether the mean lies within the range that the literature reports (``recon.products.regions.ranges``).
    """

    label: int
    name: str
    side: str
    mean_ppb: float
    sd_ppb: float
    median_ppb: float
    volume_mm3: float
    plausible: bool


@dataclass(frozen=True, kw_only=True)
class RegionalReport:
    """Deep grey nuclei and thalamus of one head.

    Parameters
    ----------
    labels
        ``(x, y, z)`` uint8; 0 is no nucleus, else ``RegionMeasure.label``.
    regions
        One per nucleus and side that was found, in the order of their labels.
    reference
        What zero means, as in the map.
    method
        How the nuclei were found, for people.
    parameters
        Every setting that influenced the result, the unit in the name.
    warnings
        What a reader has to know, in sentences.
    """

    labels: npt.NDArray[np.uint8]
    regions: tuple[RegionMeasure, ...]
    reference: str
    method: str
    parameters: Mapping[str, str | float | int | bool]
    warnings: tuple[str, ...]
