"""What all derived objects of a job share: their sources, the moment they were made, their series numbers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final, Self

from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_io.acquisition import Acquisition
from dicom_io.assembly.completeness import acquisition_grid
from dicom_io.assembly.grid import SliceGrid
from dicom_io.derived.kinds import KINDS
from dicom_io.derived.local_time import local_time, utc_offset
from dicom_io.derived.series_number import series_numbers
from dicom_io.derived.source import check_identity, source_datasets
from dicom_io.errors import DicomError
from dicom_io.headers import ImageHeader
from dicom_io.objects.image_file import MULTI_FRAME_CLASSES
from dicom_io.uids import uid_of
from recon.types import Provenance

OTHER_SERIES: Final = (
    "quality-page",
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
class Origin:
    """The images that derived objects are made from, and how they are marked.

    Parameters
    ----------
    acquisition
        All of its images.
    slices
        They in their places.
    sources
        First echo's image of each slice, ascending along the normal; geometry and identity are taken from them.
    datasets
        Their elements, without pixels.
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
    slices: SliceGrid
    sources: tuple[ImageHeader, ...]
    datasets: tuple[Dataset, ...]
    created: datetime
    offset: timezone | None
    revision: int
    numbers: Mapping[str, int]

    @classmethod
    def of(
        cls,
        acquisition: Acquisition,
        *,
        created: datetime,
        revision: int = 1,
        taken_series_numbers: Collection[int] = (),
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
        taken_series_numbers
            Of other series of the study, beside those of the acquisition.

        Raises
        ------
        DicomError
            There is no such revision; a ``Refusal`` if the acquisition is not complete, its images disagree in
            the patient, or a source is no longer what its header was read from.
        """
        if revision < 1:
            raise DicomError(f"there is no revision {revision}; expected 1 or more")
        check_identity(acquisition.headers)
        slices = acquisition_grid(acquisition)
        sources = tuple(slices.cells[0, slices.components[0], z][0] for z in range(len(slices.positions_mm)))
        datasets = tuple(source_datasets(sources))
        offset = utc_offset(datasets[0])
        own = {header.series_number for header in acquisition.headers if header.series_number is not None}
        return cls(
            acquisition=acquisition,
            slices=slices,
            sources=sources,
            datasets=datasets,
            created=local_time(created, offset),
            offset=offset,
            revision=revision,
            numbers=series_numbers(
                SERIES_NAMES, sources[0].series_number, taken={*own, *taken_series_numbers}, revision=revision
            ),
        )

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
        return sorted(range(len(self.sources)), key=lambda z: self._place(z))

    def _place(self, z: int) -> tuple[int, int, int]:
        return self.sources[z].instance_number or 0, self.sources[z].frame, z

    def images_at(self, z: int) -> list[ImageHeader]:
        """Every echo and component of a slice."""
        grid = self.slices
        return [grid.cells[echo, c, z][0] for echo in range(len(grid.echo_times_s)) for c in sorted(grid.components)]

    def all_images(self) -> list[ImageHeader]:
        """Every echo and component of every slice."""
        return [image for z in range(len(self.sources)) for image in self.images_at(z)]

    def description(self, title: str) -> str:
        """Say in SeriesDescription what it is, of which series, and that it is for research."""
        revision = f" r{self.revision}" if self.revision > 1 else ""
        return f"{title} [S{self.sources[0].series_number or 0}] RESEARCH{revision}"

    def series_uid(self, name: str, provenance: Provenance, **settings: object) -> UID:
        """Identify a derived series: the same sources, method and settings give the same.

        Parameters
        ----------
        name
            Of the series.
        provenance
            How its contents were made.
        **settings
            Whatever else decides about the bytes of its objects.
        """
        images = sorted(f"{header.sop_instance_uid}/{header.frame}" for header in self.acquisition.headers)
        made = {
            "software": provenance.software,
            "method": provenance.method,
            "engine": provenance.engine,
            "weights": provenance.weights_sha256,
            "parameters": dict(provenance.parameters),
            "revision": self.revision,
            **settings,
        }
        return uid_of(name, *images, json.dumps(made, sort_keys=True))

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Refuse an array that is not on the grid of the sources.

        Raises
        ------
        DicomError
            It is not.
        """
        if shape != self.shape:
            raise DicomError(f"the map has shape {shape}; its source has {self.shape}")
