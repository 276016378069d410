"""What a writer of derived objects did."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class WrittenSeries:
    """A derived series on the disk.

    Parameters
    ----------
    name
        Its name in the configuration.
    paths
        Its objects, in the order of the series.
    sop_class_uid
        Of all of them.
    series_number, description
        SeriesNumber and SeriesDescription.
    clipped
        How many voxels were out of the range that can be stored.
    warnings
        What its reader has to know, in sentences.
    """

    name: str
    paths: tuple[Path, ...]
    sop_class_uid: str
    series_number: int
    description: str
    clipped: int = 0
    warnings: tuple[str, ...] = field(default=())
