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
from pydicom.uid import UID, SegmentationStorage

from dicom_io.derived.codes import Code
from dicom_io.derived.context.derivation import shortened
from dicom_io.derived.context.origin import Origin
from dicom_io.derived.context.references import contributing_equipment, referenced_series
from dicom_io.derived.context.series_module import adopt, mark
from dicom_io.derived.context.source import take
from dicom_io.derived.frames import bare_planes, restore
from dicom_io.derived.pixel_profile import require_finite
from dicom_io.derived.series_files import write_series
from dicom_io.derived.written import WrittenSeries
from dicom_io.errors import DicomError
from dicom_io.identity import DEVICE_SERIAL_NUMBER, MANUFACTURER, MODEL_NAME, SOFTWARE_NAME, SOFTWARE_VERSIONS
from dicom_io.uids import uid_of
from recon.types import Reconstruction

ANATOMY: Final = SrCode("123037004", "SCT", "Anatomical Structure")
BRAIN: Final = Code("12738006", "SCT", "Brain")
_QUALITY: Final = Code("phase-quality", "99QSMPLUGIN", "Reliability of the phase")
_SPATIAL: Final = SrCode("309825002", "SCT", "Spatial and Relational Concept")
_LARGEST: Final = 255

MASK: Final = "brain-mask"
PHASE_QUALITY: Final = "phase-quality"
TITLES: Final = {MASK: "QSM mask", PHASE_QUALITY: "QSM phase quality", "regions": "QSM regions"}
"""How SeriesDescription begins, by the name of the series."""


def write_mask(reconstruction: Reconstruction, origin: Origin, folder: Path) -> WrittenSeries:
    """Write the mask of a reconstruction as a BINARY segmentation.

    Parameters
    ----------
    reconstruction, origin, folder
        As of ``dicom_io.derived.mr.write_qsm``.

    Raises
    ------
    DicomError
        The mask is empty or does not fit the source.
    """
    mask = reconstruction.susceptibility.mask
    method = reconstruction.total_field.mask_method
    segment = describe_segment(1, "Mask of the map", BRAIN, origin, reconstruction, method=f"mask {method}")
    return write_segments(MASK, mask[..., np.newaxis], [segment], origin, reconstruction, folder)


def write_phase_quality(reconstruction: Reconstruction, origin: Origin, folder: Path) -> WrittenSeries:
    """Write the reliability of the phase, 0 to 1, as a FRACTIONAL segmentation of 255 steps.

    Parameters
    ----------
    reconstruction, origin, folder
        As of ``dicom_io.derived.mr.write_qsm``.

    Raises
    ------
    DicomError
        The reliability is zero everywhere, not finite, or does not fit the source.
    """
    quality = reconstruction.total_field.quality
    require_finite(quality)
    segment = describe_segment(1, "Reliability of the phase", _QUALITY, origin, reconstruction, method="phase quality")
    fractions = np.clip(quality, 0, 1).astype(np.float32)
    return write_segments(PHASE_QUALITY, fractions[..., np.newaxis], [segment], origin, reconstruction, folder)


def describe_segment(
    number: int,
    label: str,
    structure: Code,
    origin: Origin,
    reconstruction: Reconstruction,
    *,
    method: str,
) -> SegmentDescription:
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
        segmented_property_category=_SPATIAL if own else ANATOMY,
        segmented_property_type=SrCode(*structure),
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=origin.series_uid("tracking", reconstruction.provenance, label=label),
        tracking_id=shortened(label, 64),
    )


def write_segments(
    name: str,
    segments: npt.NDArray[Any],
    descriptions: Sequence[SegmentDescription],
    origin: Origin,
    reconstruction: Reconstruction,
    folder: Path,
) -> WrittenSeries:
    """Write segments of one acquisition as one object.

    Parameters
    ----------
    name
        Key of ``TITLES``.
    segments
        ``(x, y, z, segment)``, bool for BINARY or float32 in 0..1 for FRACTIONAL.
    descriptions
        One per segment.
    origin, reconstruction, folder
        As of ``dicom_io.derived.mr.write_qsm``.

    Raises
    ------
    DicomError
        All segments are empty, or they do not fit the source.
    """
    origin.check_shape(segments.shape[:3])
    if not segments.any():
        raise DicomError("the segments hold no voxel; nothing is written")
    labels = [str(description.SegmentLabel) for description in descriptions]
    uid = origin.series_uid(name, reconstruction.provenance, labels=labels)
    made = _segmentation(name, segments, descriptions, origin, uid)
    restore(made, origin, uid, lambda z: [origin.sources[z]])
    derived = adopt(made, origin)
    mark(derived, origin, uid=uid, number=origin.numbers[name], title=TITLES[name], modality="SEG")
    derived.update(take(origin.dataset, ("BodyPartExamined",)))  # sides are stated for each segment
    derived.ReferencedSeriesSequence = referenced_series(list(origin.sources))
    derived.ContributingEquipmentSequence = contributing_equipment(origin.dataset, origin.created)
    return WrittenSeries(
        name=name,
        paths=write_series([derived], folder),
        sop_class_uid=SegmentationStorage,
        series_number=origin.numbers[name],
        description=origin.description(TITLES[name]),
    )


def _segmentation(
    name: str,
    segments: npt.NDArray[Any],
    descriptions: Sequence[SegmentDescription],
    origin: Origin,
    uid: UID,
) -> Segmentation:
    fractional = segments.dtype != np.bool_
    pixels = np.ascontiguousarray(segments.transpose(2, 1, 0, 3))
    return Segmentation(
        source_images=bare_planes(origin),
        pixel_array=pixels if fractional else pixels.astype(np.uint8),
        segmentation_type="FRACTIONAL" if fractional else "BINARY",
        segment_descriptions=descriptions,
        series_instance_uid=uid,
        series_number=origin.numbers[name],
        sop_instance_uid=uid_of(uid, "1"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=SOFTWARE_VERSIONS,
        device_serial_number=DEVICE_SERIAL_NUMBER,
        fractional_type="PROBABILITY" if fractional else None,
        max_fractional_value=_LARGEST,
        content_label=name.upper().replace("-", "_"),
        content_description=TITLES[name],
    )
