"""What all derived objects of a job share: their sources, the moment they were made, their series numbers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_io.derived.context.local_time import local_time, utc_offset
from dicom_io.derived.context.series_number import series_numbers
from dicom_io.derived.context.source import check_identity, source_datasets
from dicom_io.derived.products import KINDS
from dicom_io.errors import DicomError, Refusal
from dicom_io.refusals import refuse
from dicom_io.source.acquisition.grid import SliceGrid
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.file import MULTI_FRAME_CLASSES
from dicom_io.source.geometry import axes
from dicom_io.source.header import ImageHeader
from dicom_io.uids import uid_of
from recon.types import Provenance

OTHER_SERIES: Final = (
    "quality-page",
    "refusal-page",
    "qsm-enhanced",
    "parametric-map",
    "brain-mask",
    "phase-quality",
    "regions",
    "regional-report",
)
"""Derived series that are no classic MR images."""

SERIES_NAMES: Final = (*KINDS, *OTHER_SERIES)
"""Every derived series there can be, in the order of their numbers; new ones are added at the end."""


@dataclass(frozen=True, kw_only=True)
class Stamp:
    """How the derived objects of a job are marked: whose they are, when they were made, what they are called.

    Parameters
    ----------
    acquisition
        All source images.
    dataset
        Elements of one of them, without pixels; patient and study are taken from it.
    source_series_number
        Of the series that the derived ones stand next to; 0 if it has none.
    created
        When the job began, in the source's offset from UTC.
    offset
        That offset; None if the source states none.
    revision
        Counts up from 1 when new source images arrived after a delivered result.
    numbers
        SeriesNumber of each derived series, by its name.
    """

    acquisition: Acquisition
    dataset: Dataset
    source_series_number: int
    created: datetime
    offset: timezone | None
    revision: int
    numbers: Mapping[str, int]

    @classmethod
    def of_any(
        cls,
        acquisition: Acquisition,
        *,
        created: datetime,
        revision: int = 1,
        used_series_numbers: Collection[int] = (),
    ) -> Stamp:
        """Mark what is said of an acquisition that may be incomplete or contradict itself.

        Raises
        ------
        Refusal
            None of its images can be read any more.
        """
        for header in acquisition.headers:
            try:
                (dataset,) = source_datasets([header])
            except Refusal as refusal:
                reason = refusal
                continue
            return cls(**_marks(acquisition, header, dataset, created, revision, used_series_numbers))
        raise reason

    def description(self, title: str) -> str:
        """Say in SeriesDescription what it is, of which series, and that it is for research."""
        revision = f" r{self.revision}" if self.revision > 1 else ""
        return f"{title} [S{self.source_series_number}] RESEARCH{revision}"

    def uid(self, name: str, **settings: object) -> UID:
        """Identify a derived series: the same sources and settings give the same.

        Parameters
        ----------
        name
            Of the series.
        **settings
            Whatever decides about the bytes of its objects.
        """
        images = sorted(f"{header.sop_instance_uid}/{header.frame}" for header in self.acquisition.headers)
        return uid_of(name, *images, json.dumps({"revision": self.revision, **settings}, sort_keys=True))

    def series_uid(self, name: str, provenance: Provenance, **settings: object) -> UID:
        """Identify a series that a reconstruction made; the method is part of what decides."""
        return self.uid(
            name,
            software=provenance.software,
            method=provenance.method,
            engine=provenance.engine,
            weights=provenance.weights_sha256,
            parameters=dict(provenance.parameters),
            **settings,
        )


@dataclass(frozen=True, kw_only=True)
class Origin(Stamp):
    """The images that derived objects are made from, in their places.

    Parameters
    ----------
    slices
        All images on the grid of echoes, components and slices.
    sources
        First echo's image of each slice, ascending along the normal; geometry is taken from them.
    datasets
        Their elements, without pixels.
    """

    slices: SliceGrid
    sources: tuple[ImageHeader, ...]
    datasets: tuple[Dataset, ...]

    @classmethod
    def of(
        cls,
        acquisition: Acquisition,
        *,
        created: datetime,
        revision: int = 1,
        used_series_numbers: Collection[int] = (),
    ) -> Self:
        """Read what derived objects take over from a complete acquisition.

        Parameters
        ----------
        acquisition
            The images.
        created
            When the derived objects are made. Written in the source's TimezoneOffsetFromUTC; without one, in the
            local time of the machine, in which a moment without an offset is taken to be.
        revision
            As the attribute.
        used_series_numbers
            Of other series of the study, beside those of the acquisition.

        Raises
        ------
        DicomError
            There is no such revision; a ``Refusal`` if the acquisition is not complete, its images disagree in
            the patient, or a source is no longer what its header was read from.
        """
        check_identity(acquisition.headers)
        slices = acquisition.slices
        sources = _first_echo(slices)
        datasets = tuple(source_datasets(sources))
        marks = _marks(acquisition, sources[0], datasets[0], created, revision, used_series_numbers)
        return cls(**marks, slices=slices, sources=sources, datasets=datasets)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows and slices."""
        return self.sources[0].columns, self.sources[0].rows, len(self.sources)

    @property
    def is_enhanced(self) -> bool:
        """Whether the scanner sent multi-frame objects."""
        return self.sources[0].sop_class_uid in MULTI_FRAME_CLASSES

    @property
    def order(self) -> list[int]:
        """Slices in the order in which the scanner numbered them."""
        return sorted(range(len(self.sources)), key=self._place)

    def _place(self, z: int) -> tuple[int, int, int]:
        return self.sources[z].instance_number or 0, self.sources[z].frame, z

    def images_at(self, z: int) -> list[ImageHeader]:
        """Every echo and component of a slice."""
        grid = self.slices
        return [grid.cells[echo, c, z][0] for echo in range(len(grid.echo_times_s)) for c in sorted(grid.components)]

    def all_images(self) -> list[ImageHeader]:
        """Every echo and component of every slice."""
        return [image for z in range(len(self.sources)) for image in self.images_at(z)]

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Refuse an array that is not on the grid of the sources.

        Raises
        ------
        DicomError
            It is not.
        """
        if shape != self.shape:
            raise DicomError(f"the map has shape {shape}; its source has {self.shape}")


def ras_affine(origin: Origin) -> npt.NDArray[np.float64]:
    """Return ``(4, 4)`` from voxel ``(x, y, z)`` to mm in the patient: right, anterior, superior are positive."""
    source = origin.sources[0]
    if source.pixel_spacing_mm is None or source.image_position_mm is None:
        raise refuse("no-geometry", attribute="PixelSpacing or ImagePositionPatient")
    between_rows_mm, between_columns_mm = source.pixel_spacing_mm
    positions = origin.slices.positions_mm
    spacing_mm = (positions[-1] - positions[0]) / (len(positions) - 1)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack(axes(source)) * (between_columns_mm, between_rows_mm, spacing_mm)
    affine[:3, 3] = source.image_position_mm
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)  # DICOM counts left and posterior


def reserved_series_numbers(acquisition: Acquisition, *, revision: int, taken: Collection[int]) -> frozenset[int]:
    """Return the series numbers that the derived series of an acquisition have or may get.

    Parameters
    ----------
    acquisition
        A complete one.
    revision, taken
        As of ``Origin.of``.
    """
    source = _first_echo(acquisition.slices)[0]
    return frozenset(_numbers(acquisition, source, revision, taken).values())


def _first_echo(slices: SliceGrid) -> tuple[ImageHeader, ...]:
    return tuple(slices.cells[0, slices.components[0], z][0] for z in range(len(slices.positions_mm)))


def _numbers(acquisition: Acquisition, source: ImageHeader, revision: int, taken: Collection[int]) -> Mapping[str, int]:
    own = {header.series_number for header in acquisition.headers if header.series_number is not None}
    return series_numbers(SERIES_NAMES, source.series_number, taken={*own, *taken}, revision=revision)


def _marks(
    acquisition: Acquisition,
    source: ImageHeader,
    dataset: Dataset,
    created: datetime,
    revision: int,
    taken: Collection[int],
) -> dict[str, Any]:
    if revision < 1:
        raise DicomError(f"there is no revision {revision}; expected 1 or more")
    offset = utc_offset(dataset)
    return {
        "acquisition": acquisition,
        "dataset": dataset,
        "source_series_number": source.series_number or 0,
        "created": local_time(created, offset),
        "offset": offset,
        "revision": revision,
        "numbers": _numbers(acquisition, source, revision, taken),
    }
