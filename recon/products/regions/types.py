"""What the regional report says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, kw_only=True)
class RegionMeasure:
    """Susceptibility of one nucleus on one side.

    Parameters
    ----------
    label
        Its number in :attr:`RegionalReport.labels`.
    name
        Such as ``"pallidum"``, a key of :data:`recon.products.regions.nuclei.NUCLEI`.
    side
        ``"left"`` or ``"right"`` of the patient.
    mean_ppb, sd_ppb, median_ppb
        Over the voxels of the nucleus, relative to the map's reference.
    volume_mm3
        Of the nucleus as segmented.
    plausible
        Whether the mean lies within ``range_ppb``.
    range_ppb
        Least and greatest mean that the literature reports.
    range_source
        Where the range is from, for people.
    """

    label: int
    name: str
    side: str
    mean_ppb: float
    sd_ppb: float
    median_ppb: float
    volume_mm3: float
    plausible: bool
    range_ppb: tuple[float, float]
    range_source: str


@dataclass(frozen=True, kw_only=True)
class RegionalReport:
    """Deep grey nuclei and thalamus of one head.

    Parameters
    ----------
    labels
        ``(x, y, z)`` uint8; 0 is no nucleus, else :attr:`RegionMeasure.label`.
    regions
        One per nucleus and side that was found, in the order of their labels.
    reference
        What zero means, as in the map.
    method
        How the nuclei were found, for people.
    parameters
        Every setting that influenced the result, the unit in the name.
    references
        DOI of each method that ran.
    warnings
        What a reader has to know, in sentences.
    """

    labels: npt.NDArray[np.uint8]
    regions: tuple[RegionMeasure, ...]
    reference: str
    method: str
    parameters: Mapping[str, str | float | int | bool]
    references: tuple[str, ...]
    warnings: tuple[str, ...]
