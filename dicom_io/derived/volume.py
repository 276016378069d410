"""A volume as MR images store it: values on a fixed scale, their windows, quantity and unit, and how they were made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import UID

from dicom_io.derived.codes import Code
from dicom_io.derived.context.derivation import clipping_warning, contrast_texts, map_texts
from dicom_io.derived.context.source_series import Sources
from dicom_io.derived.pixel_profile import PixelProfile, encode
from dicom_io.derived.product import MRImages, Product, Window
from dicom_io.errors import DicomError
from recon.products.types import Contrast

_QUANTITY = Code("246205007", "SCT", "Quantity")


@dataclass(frozen=True, kw_only=True)
class StoredVolume:
    """A volume that is ready to become MR images.

    Parameters
    ----------
    product
        What it is.
    images, profile, windows
        How it is stored and shown.
    stored
        ``(x, y, z)`` uint16.
    clipped
        How many values were out of range.
    warnings
        Of this series, beside those of the reconstruction.
    texts
        DerivationDescription and ImageComments.
    uid
        SeriesInstanceUID.
    """

    product: Product
    images: MRImages
    profile: PixelProfile
    windows: tuple[Window, ...]
    stored: npt.NDArray[np.uint16]
    clipped: int
    warnings: tuple[str, ...]
    texts: tuple[str, str]
    uid: UID


def store(product: Product, contrast: Contrast | None, sources: Sources) -> StoredVolume:
    """Store a contrast, or without one the susceptibility map in ppb, as the product table has it.

    Raises
    ------
    DicomError
        The volume does not fit the source, a value is not finite, the map's mask is empty, or the contrast is not in
        the unit of the product.
    """
    images = product.images
    if images is None or (contrast and (contrast.name, contrast.unit) != (product.name, images.unit.value)):
        found = "the map" if contrast is None else f"a contrast {contrast.name!r} in {contrast.unit!r}"
        raise DicomError(f"{found} cannot be stored as the product {product.name!r}")
    settings: dict[str, object]
    if contrast is None:
        susceptibility = sources.reconstruction.susceptibility
        if not susceptibility.mask.any():
            raise DicomError("the mask holds no voxel, so there is no map; nothing is written")
        values, settings = susceptibility.chi_ppm * np.float32(1000), {"reference": susceptibility.reference}
        if not sources.window_presets:
            settings["windows"] = 1
    else:
        values, settings = contrast.volume, {"made": dict(contrast.parameters)}
    sources.series.check_shape(values.shape)
    profile = images.profiles[sources.profile]
    stored, clipped = encode(values, profile)
    warnings = clipping_warning(clipped, profile, "" if images.quantity is None else images.unit.value.strip("[]"))
    return StoredVolume(
        product=product,
        images=images,
        profile=profile,
        windows=images.windows if sources.window_presets else images.windows[:1],
        stored=stored,
        clipped=clipped,
        warnings=warnings,
        texts=map_texts(sources, *warnings) if contrast is None else contrast_texts(contrast, sources, *warnings),
        uid=sources.uid(product.name, profile=sources.profile, **settings),
    )


def set_pixels(image: Dataset, volume: StoredVolume, stored: npt.NDArray[np.uint16]) -> None:
    """Set the Image Pixel module: a frame for each slice of ``stored``, ``(x, y, z)``, in the order they are in."""
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Columns, image.Rows = stored.shape[:2]
    bits = volume.profile.bits_stored
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, bits, bits - 1, 0
    image.PresentationLUTShape = "IDENTITY"
    image.add_new("PixelData", "OW", np.ascontiguousarray(stored.transpose(2, 1, 0)).astype("<u2").tobytes())


def set_rescale(item: Dataset, volume: StoredVolume) -> None:
    """Set RescaleSlope, RescaleIntercept and RescaleType."""
    item.RescaleSlope, item.RescaleIntercept = volume.profile.slope, volume.profile.intercept
    item.RescaleType = "US"


def set_windows(item: Dataset, volume: StoredVolume) -> None:
    """Set the windows (PS3.3 C.11.2.1.2)."""
    item.WindowCenter = [str(window.center) for window in volume.windows]
    item.WindowWidth = [str(window.width) for window in volume.windows]
    item.WindowCenterWidthExplanation = [window.explanation for window in volume.windows]


def real_world_value_mapping(volume: StoredVolume) -> Dataset:
    """Make the Real World Value Mapping of a series (PS3.3 C.7.6.16.2.11).

    The rescale is not part of the MR Image IOD, so quantity and unit are stated here as well. The mapping holds
    for stored values. CID 7181 has parts per million only; UCUM has parts per billion too.
    """
    images, profile, mapping = volume.images, volume.profile, Dataset()
    meaning = images.quantity.meaning if images.quantity else volume.product.title
    mapping.LUTLabel = images.lut_label
    mapping.LUTExplanation = f"{meaning} in {images.unit.meaning}"
    mapping.add_new("RealWorldValueFirstValueMapped", "US", 0)
    mapping.add_new("RealWorldValueLastValueMapped", "US", profile.largest)
    mapping.RealWorldValueIntercept = float(profile.intercept)
    mapping.RealWorldValueSlope = float(profile.slope)
    mapping.MeasurementUnitsCodeSequence = [images.unit.item()]
    if images.quantity is not None:
        item = Dataset()  # PS3.3 Table C.7.6.16-12b
        item.ValueType = "CODE"
        item.ConceptNameCodeSequence = [_QUANTITY.item()]
        item.ConceptCodeSequence = [images.quantity.item()]
        mapping.QuantityDefinitionSequence = [item]
    return mapping
