"""A derived series of classic MR images (PS3.3 A.4), one per source slice, next to the series it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_io.derived.codes import IMAGE_PROCESSING
from dicom_io.derived.context.references import (
    contributing_equipment,
    put,
    referenced_series,
    sequence_element,
    source_images,
)
from dicom_io.derived.context.series_module import qualify
from dicom_io.derived.context.source import inherit
from dicom_io.derived.context.source_series import Sources, SourceSeries
from dicom_io.derived.product import Product
from dicom_io.derived.series_files import WrittenSeries, write_series
from dicom_io.derived.volume import (
    StoredVolume,
    real_world_value_mapping,
    set_pixels,
    set_rescale,
    set_windows,
    store,
)
from dicom_io.source.elements import Elements
from dicom_io.uids import uid_of
from recon.products.types import Contrast


def write_images(product: Product, contrast: Contrast | None, sources: Sources, folder: Path) -> tuple[WrittenSeries]:
    """Write a contrast, or without one the susceptibility map in ppb.

    Identifiers follow from the source images, the weights, the parameters and the revision, so a repeated run
    writes the same objects. Each image takes position, patient and study from the first-echo image of its
    slice, byte for byte. Values out of the profile's range are clipped, and their number is stated.

    Parameters
    ----------
    product
        Row of the product table.
    contrast
        The volume, if it is not the map.
    sources
        The map and the images it was made from.
    folder
        Holds the series and nothing else; a previous version is replaced. It appears complete or not at all,
        readable by its owner only.

    Raises
    ------
    DicomError
        The volume does not fit the source, a value is not finite, the map's mask is empty, the contrast is not the
        product's, or ``folder`` holds something else.
    """
    volume, series = store(product, contrast, sources), sources.series
    images, clipped, warnings = _images(volume, series), volume.clipped, volume.warnings
    return (write_series(images, product, series.context, volume.uid, folder, clipped=clipped, warnings=warnings),)


def _images(volume: StoredVolume, series: SourceSeries) -> Iterator[Dataset]:
    alike = (
        sequence_element("DerivationCodeSequence", [IMAGE_PROCESSING.item()]),
        sequence_element("RealWorldValueMappingSequence", [real_world_value_mapping(volume)]),
    )
    for z in series.order:
        source, used = series.datasets[z], series.images_at(z)
        image = inherit(source)
        image.SOPInstanceUID = uid_of(volume.uid, series.headers[z].sop_instance_uid, str(z))
        # Value 3 is a defined term; M or P there would make routers take the map for a source image.
        image.ImageType = ["DERIVED", "PRIMARY", *volume.images.flavor]
        image.EchoTime = None if len(series.slices.echo_times_s) > 1 else Elements(source).text("EchoTime")
        image.ImagesInAcquisition = len(series.headers)
        image.DerivationDescription, image.ImageComments = volume.texts
        qualify(image)
        put(image, *alike, source_images(used), referenced_series(used))
        image.ContributingEquipmentSequence = contributing_equipment(source, series.context.created)
        set_rescale(image, volume)
        set_windows(image, volume)
        set_pixels(image, volume, volume.stored[..., z : z + 1])
        yield image
