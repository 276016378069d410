"""QSM as one Enhanced MR Image (PS3.3 A.36.2), where the scanner sent such objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.uid import UID, EnhancedMRImageStorage

from dicom_io.derived.codes import code_item
from dicom_io.derived.context.derivation import clipping_warning, derivation_of_qsm
from dicom_io.derived.context.origin import Origin
from dicom_io.derived.context.references import contributing_equipment, referenced_series, source_evidence
from dicom_io.derived.context.series_module import mark, qualify
from dicom_io.derived.context.source import frame_of_reference, inherit_study, take
from dicom_io.derived.frames import (
    derivation_image,
    frame_content,
    organize,
    pixel_measures,
    plane_orientation,
    plane_position,
)
from dicom_io.derived.pixel_profile import CONSOLE12, PixelProfile, encode
from dicom_io.derived.products import QSM, SeriesKind, shown_by
from dicom_io.derived.series_files import write_series
from dicom_io.derived.units import real_world_value_mapping
from dicom_io.derived.written import WrittenSeries
from dicom_io.identity import DEVICE_SERIAL_NUMBER
from dicom_io.source.elements import Elements
from dicom_io.uids import uid_of
from recon.types import Reconstruction

NAME = "qsm-enhanced"


def write_qsm_enhanced(
    reconstruction: Reconstruction,
    origin: Origin,
    folder: Path,
    *,
    profile: str = CONSOLE12.name,
    window_presets: bool = True,
) -> WrittenSeries:
    """Write a susceptibility map in ppb as one object of as many frames as there are slices.

    Parameters
    ----------
    reconstruction, origin, folder, profile, window_presets
        As of ``dicom_io.derived.mr.write_qsm``.

    Raises
    ------
    DicomError
        As there.
    """
    susceptibility, stored_as = reconstruction.susceptibility, QSM.profiles[profile]
    origin.check_shape(susceptibility.chi_ppm.shape)
    stored, clipped = encode(susceptibility.chi_ppm * np.float32(1000), stored_as)
    warnings = clipping_warning(clipped, stored_as, "ppb")
    derivation = derivation_of_qsm(reconstruction, origin.slices.echo_times_s, revision=origin.revision)
    shown = {} if window_presets else {"windows": 1}
    uid = origin.series_uid(
        NAME, reconstruction.provenance, reference=susceptibility.reference, profile=profile, **shown
    )
    image = _image(shown_by(QSM, window_presets), stored_as, stored, derivation.texts(*warnings), uid, origin)
    paths = write_series([image], folder)
    return WrittenSeries(
        name=NAME,
        paths=paths,
        sop_class_uid=EnhancedMRImageStorage,
        series_number=origin.numbers[NAME],
        description=origin.description(QSM.title),
        clipped=clipped,
        warnings=warnings,
    )


def _image(
    kind: SeriesKind,
    profile: PixelProfile,
    stored: npt.NDArray[np.uint16],
    texts: tuple[str, str],
    uid: UID,
    origin: Origin,
) -> Dataset:
    image = inherit_study(origin.dataset)
    mark(image, origin, uid=uid, number=origin.numbers[NAME], title=kind.title)
    qualify(image)
    image.DeviceSerialNumber = DEVICE_SERIAL_NUMBER
    image.SOPClassUID, image.SOPInstanceUID = EnhancedMRImageStorage, uid_of(uid, "1")
    image.InstanceNumber = 1
    image.ImageComments = texts[1]
    _describe(image, origin)
    organize(image, uid)
    image.SharedFunctionalGroupsSequence = [_shared(kind, profile, origin)]
    image.PerFrameFunctionalGroupsSequence = [
        _per_frame(origin, z, number, texts[0]) for number, z in enumerate(origin.order, start=1)
    ]
    image.ReferencedSeriesSequence = referenced_series(origin.all_images())
    image.SourceImageEvidenceSequence = source_evidence(origin.all_images())
    image.ContributingEquipmentSequence = contributing_equipment(origin.dataset, origin.created)
    _set_pixels(image, profile, stored[..., origin.order])
    return image


def _describe(image: Dataset, origin: Origin) -> None:
    """Set what the Frame of Reference and Enhanced MR Image modules ask for (PS3.3 C.7.4.1, C.8.13.1)."""
    source = Elements(origin.dataset)
    image.update(take(origin.dataset, ("BodyPartExamined",)))  # sides are stated for each frame
    image.FrameOfReferenceUID = frame_of_reference(origin.dataset)
    image.PositionReferenceIndicator = source.text("PositionReferenceIndicator")
    image.PatientPosition = source.text("PatientPosition")
    image.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    _frame_kind(image)
    image.ResonantNucleus = "1H"
    image.KSpaceFiltering = "NONE"
    field_strength = source.number("MagneticFieldStrength")
    if field_strength is not None:
        image.MagneticFieldStrength = field_strength
    image.ApplicableSafetyStandardAgency = "IEC"
    if source.text("AcquisitionDate") and source.text("AcquisitionTime"):
        image.AcquisitionDateTime = source.text("AcquisitionDate") + source.text("AcquisitionTime")
    image.AcquisitionContextSequence = []
    image.PresentationLUTShape = "IDENTITY"


def _frame_kind(item: Dataset) -> None:
    """Set the Common CT/MR and MR image description macros (PS3.3 C.8.16.2, C.8.13.3)."""
    item.PixelPresentation = "MONOCHROME"
    item.VolumetricProperties = "VOLUME"
    item.VolumeBasedCalculationTechnique = "NONE"
    item.ComplexImageComponent = "MAGNITUDE"
    item.AcquisitionContrast = "UNKNOWN"  # there is no term for susceptibility


def _shared(kind: SeriesKind, profile: PixelProfile, origin: Origin) -> Dataset:
    group = Dataset()
    group.PixelMeasuresSequence = [pixel_measures(origin)]
    group.PlaneOrientationSequence = [plane_orientation(origin)]
    anatomy = Dataset()
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = [code_item("12738006", "SCT", "Brain")]
    group.FrameAnatomySequence = [anatomy]
    frame_type = Dataset()
    frame_type.FrameType = ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    _frame_kind(frame_type)
    group.MRImageFrameTypeSequence = [frame_type]
    rescale = Dataset()
    rescale.RescaleIntercept, rescale.RescaleSlope, rescale.RescaleType = profile.intercept, profile.slope, "US"
    group.PixelValueTransformationSequence = [rescale]
    voi = Dataset()
    voi.WindowCenter = [str(window.center) for window in kind.windows]
    voi.WindowWidth = [str(window.width) for window in kind.windows]
    voi.WindowCenterWidthExplanation = [window.explanation for window in kind.windows]
    group.FrameVOILUTSequence = [voi]
    group.RealWorldValueMappingSequence = [real_world_value_mapping(kind, profile)]
    return group


def _per_frame(origin: Origin, z: int, number: int, description: str) -> Dataset:
    group = Dataset()
    group.FrameContentSequence = [frame_content(number)]
    group.PlanePositionSequence = [plane_position(origin, z)]
    # The description is the same for all frames; once is enough.
    group.DerivationImageSequence = [derivation_image(origin.images_at(z), description if number == 1 else "")]
    return group


def _set_pixels(image: Dataset, profile: PixelProfile, stored: npt.NDArray[np.uint16]) -> None:
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.Columns, image.Rows, image.NumberOfFrames = stored.shape
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, profile.bits_stored, profile.bits_stored - 1
    image.PixelRepresentation = 0
    image.add_new("PixelData", "OW", np.ascontiguousarray(stored.transpose(2, 1, 0)).astype("<u2").tobytes())
