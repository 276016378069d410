"""Which derived objects there are, which are made, and which go where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

QSM: Final = "qsm"
QSM_ENHANCED: Final = "qsm-enhanced"
REFUSAL_PAGE: Final = "refusal-page"
NIFTI: Final = "nifti"
"""Files for researchers; never delivered."""


OBJECTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        QSM: "susceptibility as MR images, in ppb",
        QSM_ENHANCED: "susceptibility as one Enhanced MR object, where the scanner sent Enhanced MR",
        "swi": "susceptibility-weighted images",
        "true-swi": "susceptibility-weighted images with the map as the mask",
        "min-ip": "minimum intensity projections of the susceptibility-weighted images",
        "r2star": "R2* in 1/s",
        "total-field": "total field in Hz",
        "local-field": "local field in ppb",
        "parametric-map": "susceptibility as a floating-point Parametric Map",
        "brain-mask": "the mask as a Segmentation",
        "phase-quality": "the reliability of the phase as a fractional Segmentation",
        "regional-report": "mean susceptibility of deep grey nuclei: a Segmentation and a Structured Report",
        "quality-page": "pictures and figures of quality as Secondary Capture",
    }
)
"""Every derived object that a reconstruction may make, in the order in which they are made."""

FIRST: Final = (QSM, QSM_ENHANCED)
"""Objects that are delivered before the others are made: nobody waits for them longer than needed."""

FIRST_PART: Final = "qsm"
OTHER_PART: Final = "others"
REFUSAL_PART: Final = "refusal"
"""Deliveries of a job to a destination."""


def part_of(name: str) -> str:
    """Return with which delivery of a job an object goes."""
    if name == REFUSAL_PAGE:
        return REFUSAL_PART
    return FIRST_PART if name in FIRST else OTHER_PART


def series_for(series: Sequence[Mapping[str, Any]], objects: Sequence[str] | None) -> list[Mapping[str, Any]]:
    """Choose the series of a report that go to a destination.

    Parameters
    ----------
    series
        ``series`` of a job's report.
    objects
        What the destination is configured to get; None for all, of which an Enhanced MR object then stands
        for the classic images of the same map.
    """
    if objects is not None:
        return [one for one in series if one["object"] in objects]
    names = {one["object"] for one in series}
    return [one for one in series if not (one["object"] == QSM and QSM_ENHANCED in names)]


def files_of(series: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the files of series, relative to the job's folder."""
    return [name for one in series for name in one["files"]]
