"""A derived series of classic MR images (PS3.3 A.4), one per source slice, next to the series it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import UID, MRImageStorage

from dicom_io.derived.codes import code_item
from dicom_io.derived.context.derivation import Derivation, clipping_warning, derivation_of_contrast, derivation_of_qsm
from dicom_io.derived.context.origin import Origin
from dicom_io.derived.context.references import contributing_equipment
from dicom_io.derived.context.series_module import mark, qualify
from dicom_io.derived.context.source import inherit
from dicom_io.derived.encoded import put, referenced_series_element, sequence_element, source_images_element
from dicom_io.derived.pixel_profile import CONSOLE12, PixelProfile, encode, require_finite
from dicom_io.derived.products import KINDS, QSM, SeriesKind, shown_by
from dicom_io.derived.series_files import write_series
from dicom_io.derived.units import real_world_value_mapping
from dicom_io.derived.written import WrittenSeries
from dicom_io.errors import DicomError
from dicom_io.source.elements import Elements
from dicom_io.uids import uid_of
from recon.products.contrasts.types import Contrast
from recon.types import FloatArray, Reconstruction

_PPB_PER_PPM: Final = np.float32(1000)


def write_qsm(
    reconstruction: Reconstruction,
    origin: Origin,
    folder: Path,
    *,
    profile: str = CONSOLE12.name,
    window_presets: bool = True,
) -> WrittenSeries:
    """Write a susceptibility map in ppb.

    Identifiers follow from the source images, the weights, the parameters and the revision, so a repeated run
    writes the same objects. Each image takes position, patient and study from the first-echo image of its
    slice, byte for byte. Values out of the profile's range are clipped, and their number is stated.

    Parameters
    ----------
    reconstruction
        The map, ``(x, y, z)`` in ppm, on the grid that ``read_acquisition`` gave.
    origin
        The images it was made from.
    folder
        Holds the series and nothing else; a previous version is replaced. It appears complete or not at all,
        readable by its owner only.
    profile
        How values are stored: ``"console12"`` or ``"pacs16"``.
    window_presets
        Whether to state the window for haemorrhage after the one for tissue. Some viewers cannot read two windows
        and then choose one of their own for each slice.

    Raises
    ------
    DicomError
        The map does not fit the source, the mask is empty, a value is not finite, or ``folder`` holds
        something else.
    """
    susceptibility = reconstruction.susceptibility
    if not susceptibility.mask.any():
        raise DicomError("the mask holds no voxel, so there is no map; nothing is written")
    require_finite(susceptibility.chi_ppm)
    derivation = derivation_of_qsm(reconstruction, origin.slices.echo_times_s, revision=origin.revision)
    kind = shown_by(QSM, window_presets)
    shown = {} if window_presets else {"windows": 1}
    uid = origin.series_uid(
        QSM.name, reconstruction.provenance, reference=susceptibility.reference, profile=profile, **shown
    )
    return _write(kind, susceptibility.chi_ppm * _PPB_PER_PPM, derivation, uid, origin, folder, profile)


def write_contrast(
    contrast: Contrast,
    reconstruction: Reconstruction,
    origin: Origin,
    folder: Path,
    *,
    profile: str = CONSOLE12.name,
) -> WrittenSeries:
    """Write another derived volume, a row of ``dicom_io.derived.products.KINDS``.

    Parameters
    ----------
    contrast
        The volume, and how it was made.
    reconstruction
        The result it belongs to.
    origin, folder, profile
        As of ``write_qsm``.

    Raises
    ------
    DicomError
        There is no such kind of series, or as ``write_qsm``.
    """
    kind = KINDS.get(contrast.name)
    if kind is None or kind.contrast_unit != contrast.unit:
        raise DicomError(f"no derived series {contrast.name!r} in {contrast.unit!r}; there are: {', '.join(KINDS)}")
    derivation = derivation_of_contrast(contrast, reconstruction, origin.slices.echo_times_s, revision=origin.revision)
    uid = origin.series_uid(kind.name, reconstruction.provenance, made=dict(contrast.parameters), profile=profile)
    return _write(kind, contrast.volume, derivation, uid, origin, folder, profile)


def _write(
    kind: SeriesKind,
    values: FloatArray,
    derivation: Derivation,
    uid: UID,
    origin: Origin,
    folder: Path,
    profile_name: str,
) -> WrittenSeries:
    origin.check_shape(values.shape)
    profile = kind.profiles[profile_name]
    stored, clipped = encode(values, profile)
    warnings = clipping_warning(clipped, profile, "" if kind.quantity is None else kind.unit.value.strip("[]"))
    texts = derivation.texts(*warnings)
    paths = write_series(_images(kind, profile, stored, texts, uid, origin), folder)
    return WrittenSeries(
        name=kind.name,
        paths=paths,
        sop_class_uid=MRImageStorage,
        series_number=origin.numbers[kind.name],
        description=origin.description(kind.title),
        clipped=clipped,
        warnings=warnings,
    )


def _images(
    kind: SeriesKind,
    profile: PixelProfile,
    stored: npt.NDArray[np.uint16],
    texts: tuple[str, str],
    uid: UID,
    origin: Origin,
) -> Iterator[Dataset]:
    alike = (
        sequence_element("DerivationCodeSequence", [code_item("110001", "DCM", "Image Processing")]),
        sequence_element("RealWorldValueMappingSequence", [real_world_value_mapping(kind, profile)]),
    )
    for number, z in enumerate(origin.order, start=1):
        image = inherit(origin.datasets[z])
        mark(image, origin, uid=uid, number=origin.numbers[kind.name], title=kind.title)
        image.SOPClassUID = MRImageStorage
        image.SOPInstanceUID = uid_of(uid, origin.sources[z].sop_instance_uid, str(z))
        image.InstanceNumber = number
        # Value 3 is a defined term; M or P there would make routers take the map for a source image.
        image.ImageType = ["DERIVED", "PRIMARY", *kind.flavor]
        image.EchoTime = None if len(origin.slices.echo_times_s) > 1 else Elements(origin.datasets[z]).text("EchoTime")
        image.ImagesInAcquisition = len(origin.sources)
        image.DerivationDescription, image.ImageComments = texts
        qualify(image)
        used = origin.images_at(z)
        put(image, *alike, source_images_element(used), referenced_series_element(used))
        image.ContributingEquipmentSequence = contributing_equipment(origin.datasets[z], origin.created)
        _set_pixels(image, kind, profile, stored[..., z])
        yield image


def _set_pixels(image: Dataset, kind: SeriesKind, profile: PixelProfile, stored: npt.NDArray[np.uint16]) -> None:
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Columns, image.Rows = stored.shape
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, profile.bits_stored, profile.bits_stored - 1
    image.PixelRepresentation = 0
    image.RescaleSlope, image.RescaleIntercept = profile.slope, profile.intercept
    image.RescaleType = "US"
    image.WindowCenter = [str(window.center) for window in kind.windows]
    image.WindowWidth = [str(window.width) for window in kind.windows]
    image.WindowCenterWidthExplanation = [window.explanation for window in kind.windows]
    image.PresentationLUTShape = "IDENTITY"
    image.add_new("PixelData", "OW", np.ascontiguousarray(stored.T).astype("<u2").tobytes())
