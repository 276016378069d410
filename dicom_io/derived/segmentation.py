"""Segmentations (PS3.3 A.51): the mask, the reliability of the phase, and the deep grey nuclei."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.sr.coding import Code as SrCode

from dicom_io.derived.codes import BRAIN, Code
from dicom_io.derived.context.derivation import shortened
from dicom_io.derived.context.references import put, referenced_series
from dicom_io.derived.context.series_module import adopt
from dicom_io.derived.context.source import take
from dicom_io.derived.context.source_series import Sources
from dicom_io.derived.frames import bare_planes, identity_arguments, restore
from dicom_io.derived.pixel_profile import require_finite
from dicom_io.derived.product import Product
from dicom_io.derived.series_files import WrittenSeries, write_series
from dicom_io.errors import DicomError
from dicom_io.identity import SOFTWARE_NAME, SOFTWARE_VERSIONS

_ANATOMY: Final = SrCode("123037004", "SCT", "Anatomical Structure")
_QUALITY: Final = Code("phase-quality", "99QSMPLUGIN", "Reliability of the phase")
_SPATIAL: Final = SrCode("309825002", "SCT", "Spatial and Relational Concept")


def write_mask(product: Product, _made: None, sources: Sources, folder: Path) -> tuple[WrittenSeries]:
    """Write the mask of a reconstruction as a BINARY segmentation.

    Parameters are those of ``dicom_io.derived.mr.write_images``.

    Raises
    ------
    DicomError
        The mask is empty or does not fit the source.
    """
    mask = sources.reconstruction.susceptibility.mask
    method = sources.reconstruction.total_field.mask_method
    segment = describe_segment(1, "Mask of the map", BRAIN, sources, method=f"mask {method}")
    return (write_segments(product, mask[..., np.newaxis], [segment], sources, folder),)


def write_phase_quality(product: Product, _made: None, sources: Sources, folder: Path) -> tuple[WrittenSeries]:
    """Write the reliability of the phase, 0 to 1, as a FRACTIONAL segmentation of 255 steps.

    Parameters are those of ``dicom_io.derived.mr.write_images``.

    Raises
    ------
    DicomError
        The reliability is zero everywhere, not finite, or does not fit the source.
    """
    quality = sources.reconstruction.total_field.quality
    require_finite(quality)
    segment = describe_segment(1, "Reliability of the phase", _QUALITY, sources, method="phase quality")
    fractions = np.clip(quality, 0, 1).astype(np.float32)
    return (write_segments(product, fractions[..., np.newaxis], [segment], sources, folder),)


def describe_segment(number: int, label: str, structure: Code, sources: Sources, *, method: str) -> SegmentDescription:
    """Describe a segment, with a tracking UID that follows from source and label."""
    own = structure.scheme.startswith("99")
    algorithm = AlgorithmIdentificationSequence(
        name=SOFTWARE_NAME,
        version=SOFTWARE_VERSIONS,
        family=SrCode("123110", "DCM", "Artificial Intelligence"),
        parameters={"method": shortened(method, 64)},
    )
    return SegmentDescription(
        segment_number=number,
        segment_label=shortened(label, 64),
        segmented_property_category=_SPATIAL if own else _ANATOMY,
        segmented_property_type=SrCode(*structure),
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=sources.uid("tracking", label=label),
        tracking_id=shortened(label, 64),
    )


def write_segments(
    product: Product,
    segments: npt.NDArray[Any],
    descriptions: Sequence[SegmentDescription],
    sources: Sources,
    folder: Path,
) -> WrittenSeries:
    """Write segments of one acquisition as one object.

    Parameters
    ----------
    segments
        ``(x, y, z, segment)``, bool for BINARY or float32 in 0..1 for FRACTIONAL.
    descriptions
        One per segment.
    product, sources, folder
        As of ``dicom_io.derived.mr.write_images``.

    Raises
    ------
    DicomError
        All segments are empty, or they do not fit the source.
    """
    series = sources.series
    series.check_shape(segments.shape[:3])
    if not segments.any():
        raise DicomError("the segments hold no voxel; nothing is written")
    uid = sources.uid(product.name, labels=[str(description.SegmentLabel) for description in descriptions])
    fractional = segments.dtype != np.bool_
    pixels = np.ascontiguousarray(segments.transpose(2, 1, 0, 3))
    made = Segmentation(
        source_images=bare_planes(series),
        pixel_array=pixels if fractional else pixels.astype(np.uint8),
        segmentation_type="FRACTIONAL" if fractional else "BINARY",
        segment_descriptions=descriptions,
        **identity_arguments(product, series, uid),
        fractional_type="PROBABILITY" if fractional else None,
        max_fractional_value=255,
        content_label=product.name.upper().replace("-", "_"),
        content_description=product.title,
    )
    restore(made, series, uid, lambda z: [series.headers[z]])
    derived = adopt(made, series.context)
    derived.update(take(series.context.dataset, ("BodyPartExamined",)))  # sides are stated for each segment
    put(derived, referenced_series(series.headers))
    return write_series([derived], product, series.context, uid, folder)
