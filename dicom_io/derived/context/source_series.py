"""What the derived objects of a job share: their source images, when they are made, their series numbers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Self

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_io.derived.context.series_number import series_numbers
from dicom_io.derived.context.source import patient_age_years, source_datasets, utc_offset
from dicom_io.errors import DicomError
from dicom_io.refusals import refuse
from dicom_io.source.acquisition.grid import SliceGrid
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.geometry import axes
from dicom_io.source.header import ImageHeader
from dicom_io.uids import uid_of
from recon.types import Reconstruction


@dataclass(frozen=True, kw_only=True)
class SeriesContext:
    """Patient, study, time and numbers of a job's derived series.

    Parameters
    ----------
    acquisition
        All source images.
    dataset
        Elements of one of them, without pixels; patient and study are taken from it.
    source_series_number
        Of the series that the derived ones stand next to; 0 if it has none.
    created
        When the job began: in the source's TimezoneOffsetFromUTC, else in the machine's local time.
    offset
        That offset; None if the source states none.
    revision
        Counts up from 1 when new source images arrived after a delivered result.
    numbers
        SeriesNumber of each derived series, by its name.
    failed
        Whether the map failed its quality check; the descriptions of its series then begin with it.
    """

    acquisition: Acquisition
    dataset: Dataset
    source_series_number: int
    created: datetime
    offset: timezone | None
    revision: int
    numbers: Mapping[str, int]
    failed: bool = False

    @classmethod
    def of(
        cls,
        acquisition: Acquisition,
        source: ImageHeader,
        dataset: Dataset,
        *,
        created: datetime,
        revision: int,
        used_series_numbers: Collection[int],
    ) -> Self:
        """Describe an acquisition by one of its images and its elements; further parameters as in ``SourceSeries.of``.

        The acquisition may be incomplete or contradict itself.
        """
        if revision < 1:
            raise DicomError(f"there is no revision {revision}; expected 1 or more")
        offset = utc_offset(dataset)
        is_local = offset is None and created.tzinfo is None
        return cls(
            acquisition=acquisition,
            dataset=dataset,
            source_series_number=source.series_number or 0,
            created=created if is_local else created.astimezone(offset),
            offset=offset,
            revision=revision,
            numbers=_numbers(acquisition, source, revision, used_series_numbers),
        )

    def description(self, title: str) -> str:
        """Return SeriesDescription: FAILED if so, title, number of the source series, and that it is for research."""
        verdict = "FAILED " if self.failed else ""
        revision = f" r{self.revision}" if self.revision > 1 else ""
        return f"{verdict}{title} [S{self.source_series_number}] RESEARCH{revision}"

    def uid(self, name: str, **settings: object) -> UID:
        """Identify a derived series; ``settings`` are whatever else decides about the bytes of its objects."""
        images = sorted(f"{header.sop_instance_uid}/{header.frame}" for header in self.acquisition.headers)
        return uid_of(name, *images, json.dumps({"revision": self.revision, **settings}, sort_keys=True))


@dataclass(frozen=True, kw_only=True)
class SourceSeries:
    """The images that derived objects are made from, in their places.

    Parameters
    ----------
    context
        What the derived series say of patient, study and themselves.
    slices
        All images on the grid of echoes, components and slices.
    headers
        First echo's image of each slice, ascending along the normal; geometry is taken from them.
    datasets
        Their elements, without pixels.
    """

    context: SeriesContext
    slices: SliceGrid
    headers: tuple[ImageHeader, ...]
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
        """Read what derived objects take from a complete acquisition.

        Parameters
        ----------
        created
            When the derived objects are made; without an offset, in the local time of the machine.
        used_series_numbers
            Of other series of the study, beside those of the acquisition.

        Raises
        ------
        DicomError
            There is no such revision; a ``Refusal`` if the acquisition is not complete, or a source is no longer what
            its header was read from.
        """
        slices = acquisition.slices
        headers = slices.first_echo
        datasets = tuple(source_datasets(headers))
        context = SeriesContext.of(
            acquisition,
            headers[0],
            datasets[0],
            created=created,
            revision=revision,
            used_series_numbers=used_series_numbers,
        )
        return cls(context=context, slices=slices, headers=headers, datasets=datasets)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows and slices."""
        return self.headers[0].columns, self.headers[0].rows, len(self.headers)

    @property
    def is_enhanced(self) -> bool:
        """Whether the scanner sent multi-frame objects."""
        return self.headers[0].is_frame

    @property
    def order(self) -> list[int]:
        """Slices in the order in which the scanner numbered them."""
        headers = self.headers
        return sorted(range(len(headers)), key=lambda z: (headers[z].instance_number or 0, headers[z].frame, z))

    @property
    def age_years(self) -> float | None:
        """Age of the patient; None if the source does not state it."""
        return patient_age_years(self.context.dataset)

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """``(4, 4)`` from voxel ``(x, y, z)`` to mm in the patient: right, anterior, superior are positive."""
        source = self.headers[0]
        if source.pixel_spacing_mm is None or source.image_position_mm is None:
            raise refuse("no-geometry", attribute="PixelSpacing or ImagePositionPatient")
        between_rows_mm, between_columns_mm = source.pixel_spacing_mm
        positions = self.slices.positions_mm
        spacing_mm = (positions[-1] - positions[0]) / (len(positions) - 1)
        affine = np.eye(4)
        affine[:3, :3] = np.column_stack(axes(source)) * (between_columns_mm, between_rows_mm, spacing_mm)
        affine[:3, 3] = source.image_position_mm
        return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)  # DICOM counts left and posterior

    def images_at(self, z: int) -> list[ImageHeader]:
        """Every echo and component of a slice."""
        grid = self.slices
        return [grid.cells[echo, c, z][0] for echo in range(len(grid.echo_times_s)) for c in sorted(grid.components)]

    def all_images(self) -> list[ImageHeader]:
        """Every echo and component of every slice."""
        return [image for z in range(len(self.headers)) for image in self.images_at(z)]

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise a ``DicomError`` if an array is not on the grid of the sources."""
        if shape != self.shape:
            raise DicomError(f"the map has shape {shape}; its source has {self.shape}")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What derived objects are made of, and how they are stored.

    Parameters
    ----------
    reconstruction
        The result, ``(x, y, z)`` on the grid that ``read_acquisition`` gave.
    series
        The images that it was made from.
    profile
        How values are stored: ``"console12"`` or ``"pacs16"``.
    window_presets
        Whether the map states a window for haemorrhage after the one for tissue. Some viewers cannot read two windows
        and then choose one of their own for each slice.
    """

    reconstruction: Reconstruction
    series: SourceSeries
    profile: str = "console12"
    window_presets: bool = True

    def uid(self, name: str, **settings: object) -> UID:
        """Identify a series that the reconstruction made; the method is part of what decides."""
        provenance = self.reconstruction.provenance
        return self.series.context.uid(
            name,
            software=provenance.software,
            method=provenance.method,
            engine=provenance.engine,
            weights=provenance.weights_sha256,
            parameters=dict(provenance.parameters),
            **settings,
        )


def reserved_series_numbers(acquisition: Acquisition, *, revision: int, used: Collection[int]) -> frozenset[int]:
    """Return the numbers of a complete acquisition's derived series, beside those that are ``used`` in the study."""
    return frozenset(_numbers(acquisition, acquisition.slices.first_echo[0], revision, used).values())


def _numbers(acquisition: Acquisition, source: ImageHeader, revision: int, used: Collection[int]) -> Mapping[str, int]:
    own = {header.series_number for header in acquisition.headers if header.series_number is not None}
    return series_numbers(source.series_number, used={*own, *used}, revision=revision)
