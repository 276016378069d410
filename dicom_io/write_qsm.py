"""The QSM series: classic MR images of susceptibility in ppb, next to the series they were made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import UID, MRImageStorage

from dicom_io.acquisition import Acquisition
from dicom_io.assembly.completeness import acquisition_grid
from dicom_io.assembly.grid import SliceGrid
from dicom_io.derived.codes import code_item
from dicom_io.derived.derivation import describe
from dicom_io.derived.local_time import local_time, utc_offset
from dicom_io.derived.pixel_profile import CONSOLE12, PixelProfile, encode_ppb
from dicom_io.derived.references import contributing_equipment, referenced_series, source_images
from dicom_io.derived.series_files import write_series
from dicom_io.derived.source import inherit, source_datasets
from dicom_io.derived.units import real_world_value_mapping
from dicom_io.errors import DicomError
from dicom_io.headers import ImageHeader
from dicom_io.identity import INSTANCE_CREATOR_UID, MANUFACTURER, MODEL_NAME, SOFTWARE_VERSIONS
from dicom_io.uids import uid_of
from recon.types import Reconstruction

WINDOW_CENTER_PPB: Final = 0
WINDOW_WIDTH_PPB: Final = 400
_LARGEST_SERIES_NUMBER: Final = 2**31 - 1
_ROLE: Final = "qsm"


@dataclass(frozen=True, kw_only=True)
class _Series:
    """What all images of the derived series share."""

    uid: UID
    number: int
    description: str
    derivation: str
    comments: str
    count: int
    created: datetime
    offset: timezone | None
    profile: PixelProfile


def write_qsm(
    reconstruction: Reconstruction,
    acquisition: Acquisition,
    folder: Path,
    *,
    profile: PixelProfile = CONSOLE12,
    created: datetime,
    revision: int = 1,
) -> tuple[Path, ...]:
    """Write a susceptibility map as a series of MR images (PS3.3 A.4), one per source slice.

    Identifiers follow from the source images, the weights, the parameters and the revision, so a repeated run
    writes the same objects. Each image takes position, patient and study from the first-echo image of its
    slice, byte for byte. Values out of the profile's range are clipped, and their number is stated.

    Parameters
    ----------
    reconstruction
        The map, ``(x, y, z)`` in ppm, on the grid that ``read_acquisition`` gave.
    acquisition
        The images it was made from.
    folder
        Holds the series and nothing else; a previous version is replaced. It appears complete or not at all,
        readable by its owner only.
    profile
        How values are stored.
    created
        When the series was made. Written in the source's TimezoneOffsetFromUTC; without one, in the local time
        of the machine, in which a moment without an offset is taken to be.
    revision
        Counts up from 1 when new source images arrived after a delivered result.

    Returns
    -------
    tuple of Path
        The images, in the order of the source slices.

    Raises
    ------
    DicomError
        The map does not fit the source, a value is not finite, there is no such revision, or ``folder`` holds
        something else; a ``Refusal`` if a source is no longer what its header was read from.
    """
    if revision < 1:
        raise DicomError(f"there is no revision {revision}; expected 1 or more")
    slices = acquisition_grid(acquisition)
    stored, clipped = encode_ppb(reconstruction.susceptibility.chi_ppm, profile)
    sources = tuple(slices.cells[0, slices.components[0], z][0] for z in range(len(slices.positions_mm)))
    expected = (sources[0].columns, sources[0].rows, len(sources))
    if stored.shape != expected:
        raise DicomError(f"the map has shape {stored.shape}; its source has {expected}")
    derivation, comments = describe(reconstruction, slices.echo_times_s, profile, clipped=clipped, revision=revision)
    source_number = sources[0].series_number
    offset = utc_offset(source_datasets(sources[:1])[0])
    series = _Series(
        uid=_series_uid(reconstruction, acquisition, profile, revision),
        number=_series_number(source_number, {header.series_number for header in acquisition.headers}, revision),
        description=f"QSM chi ppb [S{source_number or 0}] RESEARCH" + (f" r{revision}" if revision > 1 else ""),
        derivation=derivation,
        comments=comments,
        count=len(sources),
        created=local_time(created, offset),
        offset=offset,
        profile=profile,
    )
    return write_series(_images(series, slices, sources, stored), folder)


def _images(
    series: _Series, slices: SliceGrid, sources: Sequence[ImageHeader], stored: npt.NDArray[np.uint16]
) -> Iterator[Dataset]:
    order = sorted(range(len(sources)), key=lambda z: (sources[z].instance_number or 0, sources[z].frame, z))
    datasets = source_datasets(sources)
    used_for: dict[int, list[ImageHeader]] = {z: [] for z in order}
    for (_, _, z), images in sorted(slices.cells.items()):
        used_for[z].append(images[0])
    for number, z in enumerate(order, start=1):
        image = inherit(datasets[z])
        _describe_series(image, series)
        image.SOPInstanceUID = uid_of(series.uid, sources[z].sop_instance_uid, str(z))
        image.InstanceNumber = number
        image.SourceImageSequence = source_images(used_for[z])
        image.ReferencedSeriesSequence = referenced_series(used_for[z])
        image.ContributingEquipmentSequence = contributing_equipment(datasets[z], series.created)
        _set_pixels(image, stored[..., z], series.profile)
        yield image


def _describe_series(image: Dataset, series: _Series) -> None:
    day, time = series.created.strftime("%Y%m%d"), series.created.strftime("%H%M%S")
    image.SOPClassUID = MRImageStorage
    image.SeriesInstanceUID, image.SeriesNumber = series.uid, series.number
    image.SeriesDescription = series.description
    # OTHER is a defined term; M or P in the third value would make routers take the map for a source image.
    image.ImageType = ["DERIVED", "PRIMARY", "OTHER", "QSM"]
    image.Modality = "MR"
    image.SeriesDate = image.ContentDate = image.InstanceCreationDate = day
    image.SeriesTime = image.ContentTime = image.InstanceCreationTime = time
    if series.offset is None and "TimezoneOffsetFromUTC" in image:
        del image.TimezoneOffsetFromUTC
    image.InstanceCreatorUID = INSTANCE_CREATOR_UID
    image.Manufacturer, image.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    image.SoftwareVersions = SOFTWARE_VERSIONS
    image.EchoTime = None  # several echoes
    image.ImagesInAcquisition = series.count
    image.DerivationDescription = series.derivation
    image.ImageComments = series.comments
    image.DerivationCodeSequence = [code_item("110001", "DCM", "Image Processing")]
    image.ContentQualification = "RESEARCH"
    image.BurnedInAnnotation = "NO"
    image.RecognizableVisualFeatures = "YES"
    image.LossyImageCompression = "00"  # lossy sources are refused when they are read


def _set_pixels(image: Dataset, stored: npt.NDArray[np.uint16], profile: PixelProfile) -> None:
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Columns, image.Rows = stored.shape
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, profile.bits_stored, profile.bits_stored - 1
    image.PixelRepresentation = 0
    image.RescaleSlope, image.RescaleIntercept = profile.slope_ppb, profile.intercept_ppb
    image.RescaleType = "US"
    image.RealWorldValueMappingSequence = [real_world_value_mapping(profile)]
    image.WindowCenter, image.WindowWidth = str(WINDOW_CENTER_PPB), str(WINDOW_WIDTH_PPB)
    image.WindowCenterWidthExplanation = "Susceptibility in ppb"
    image.PresentationLUTShape = "IDENTITY"
    image.add_new("PixelData", "OW", np.ascontiguousarray(stored.T).astype("<u2").tobytes())


def _series_uid(reconstruction: Reconstruction, acquisition: Acquisition, profile: PixelProfile, revision: int) -> UID:
    provenance = reconstruction.provenance
    sources = sorted(f"{header.sop_instance_uid}/{header.frame}" for header in acquisition.headers)
    settings = {
        "software": provenance.software,
        "method": provenance.method,
        "engine": provenance.engine,
        "weights": provenance.weights_sha256,
        "parameters": dict(provenance.parameters),
        "reference": reconstruction.susceptibility.reference,
        "profile": profile.name,
        "revision": revision,
    }
    return uid_of(_ROLE, *sources, json.dumps(settings, sort_keys=True))


def _series_number(source: int | None, taken: set[int | None], revision: int) -> int:
    """Find a number next to the source's: times 100, plus the revision among those free (S4 becomes S401)."""
    base = (source or 0) * 100
    if not 0 <= base < _LARGEST_SERIES_NUMBER - 100:
        base = (source or 0) % 10_000_000 * 100
    free = [number for number in range(base + 1, base + 100) if number not in taken]
    return free[(revision - 1) % len(free)]
