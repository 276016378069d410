"""Mean susceptibility of deep grey nuclei as a Structured Report (TID 1500, PS3.16) on a segmentation of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from highdicom.sr import (
    AlgorithmIdentification,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    Measurement,
    MeasurementProperties,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    MeasurementStatisticalProperties,
    NumContentItem,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    ReferencedSegment,
    RelationshipTypeValues,
    SourceImageForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from dicom_io.derived.codes import BRAIN
from dicom_io.derived.context.derivation import shortened
from dicom_io.derived.context.series_module import adopt
from dicom_io.derived.context.source_series import Sources, SourceSeries
from dicom_io.derived.frames import bare_object
from dicom_io.derived.product import Product
from dicom_io.derived.products import PPB, REGIONS, SUSCEPTIBILITY
from dicom_io.derived.segmentation import describe_segment, write_segments
from dicom_io.derived.series_files import WrittenSeries, write_series
from dicom_io.errors import DicomError
from dicom_io.identity import (
    DEVICE_SERIAL_NUMBER,
    INSTANCE_CREATOR_UID,
    MANUFACTURER,
    MODEL_NAME,
    SOFTWARE_NAME,
    SOFTWARE_VERSIONS,
)
from dicom_io.uids import uid_of
from recon.products.types import RegionalReport, RegionMeasure
from recon.types import ExpectedError

SITES: Final[Mapping[str, Code]] = MappingProxyType(
    {
        "caudate": Code("11000004", "SCT", "Caudate nucleus"),
        "putamen": Code("89278009", "SCT", "Putamen"),
        "pallidum": Code("14738005", "SCT", "Globus pallidus"),
        "thalamus": Code("42695009", "SCT", "Thalamus"),
        "substantia_nigra": Code("70007007", "SCT", "Substantia nigra"),
        "red_nucleus": Code("red-nucleus", "99QSMPLUGIN", "Red nucleus"),
        "dentate": Code("dentate", "99QSMPLUGIN", "Dentate nucleus"),
        "subthalamic": Code("subthalamic", "99QSMPLUGIN", "Subthalamic nucleus"),
    }
)
"""Finding sites by the names of ``recon.products.regions``; a code of our own where no SNOMED CT code is certain."""

_SIDES: Final = MappingProxyType({"left": Code("7771000", "SCT", "Left"), "right": Code("24028007", "SCT", "Right")})
_MM3: Final = Code("mm3", "UCUM", "cubic millimeter")
_VOLUME: Final = Code("118565006", "SCT", "Volume")
_QUALITY: Final = Code("111050", "DCM", "Quality Assessment")
EXPECTED_ERROR: Final = Code("expected-error", "99QSMPLUGIN", "Expected error of the susceptibility")
_NINE_OF_TEN: Final = Code("371887004", "SCT", "90th Percentile Value of population")
_PLAUSIBLE: Final = MappingProxyType(
    {
        True: Code("plausible", "99QSMPLUGIN", "Within the range of the literature"),
        False: Code("implausible", "99QSMPLUGIN", "Outside the range of the literature"),
    }
)


def write_regional_report(
    product: Product, report: RegionalReport, sources: Sources, folder: Path
) -> tuple[WrittenSeries, WrittenSeries]:
    """Write the regions as a segmentation, in a folder beside ``folder``, and their figures as a report.

    Raises
    ------
    DicomError
        No region was found, or they do not fit the source.
    """
    series = sources.series
    if not report.regions:
        raise DicomError("no region was found; nothing is written")
    series.check_shape(report.labels.shape)
    masks = np.stack([report.labels == region.label for region in report.regions], axis=-1)
    descriptions = [
        describe_segment(number, _name(region), _site(region), sources, method=report.method)
        for number, region in enumerate(report.regions, start=1)
    ]
    segmentation = write_segments(REGIONS, masks, descriptions, sources, folder.with_name(REGIONS.name))
    segments = dcmread(segmentation.paths[0], stop_before_pixels=True)
    figures = [
        [one.name, one.side, f"{one.mean_ppb:.6g}", f"{one.sd_ppb:.6g}", f"{one.volume_mm3:.6g}"]
        for one in report.regions
    ]
    uid = sources.uid(product.name, regions=figures)
    made = Comprehensive3DSR(
        evidence=_evidence(series, segments),
        content=_content(report, sources, segments),
        series_instance_uid=uid,
        series_number=series.context.numbers[product.name],
        sop_instance_uid=uid_of(uid, "1"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
    )
    derived = adopt(made, series.context)
    return segmentation, write_series([derived], product, series.context, uid, folder, warnings=report.warnings)


def _content(report: RegionalReport, sources: Sources, segments: Dataset) -> MeasurementReport:
    observer = DeviceObserverIdentifyingAttributes(
        uid=INSTANCE_CREATOR_UID,
        name=SOFTWARE_NAME,
        manufacturer_name=MANUFACTURER,
        model_name=MODEL_NAME,
        serial_number=DEVICE_SERIAL_NUMBER,
    )
    context = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=observer)
    return MeasurementReport(
        observation_context=ObservationContext(observer_device_context=context),
        procedure_reported=Code("122144", "DCM", "Quantitative Analysis"),
        imaging_measurements=[*_of_brain(report, sources), *_groups(report, sources, segments)],
        title=codes.DCM.ImagingMeasurementReport,
    )


def _algorithm(report: RegionalReport, sources: Sources) -> AlgorithmIdentification:
    reconstruction = sources.reconstruction
    parameters = [f"zero is the {report.reference}", report.method]
    parameters += [f"{name} {value}" for name, value in report.parameters.items()]
    if reconstruction.expected_error:
        parameters += ["measurement uncertainty: expected RMS error of the mean, without that of the segmentation"]
    parameters += [f"weights sha256 {reconstruction.provenance.weights_sha256}"]
    parameters += [f"quality verdict {reconstruction.verdict.level}"]
    return AlgorithmIdentification(
        name=SOFTWARE_NAME,
        version=SOFTWARE_VERSIONS,
        parameters=[shortened(text, 1024) for text in parameters],
    )


def _of_brain(report: RegionalReport, sources: Sources) -> list[MeasurementsAndQualitativeEvaluations]:
    """State the error to be expected over the brain, if it is known."""
    error = sources.reconstruction.expected_error
    if error is None:
        return []
    return [
        MeasurementsAndQualitativeEvaluations(
            tracking_identifier=TrackingIdentifier(uid=sources.uid("tracking", label="Brain"), identifier="Brain"),
            finding_type=BRAIN,
            finding_sites=[FindingSite(anatomic_location=BRAIN)],
            algorithm_id=_algorithm(report, sources),
            measurements=[_expected_error(error)],
        )
    ]


def _expected_error(error: ExpectedError) -> Measurement:
    """Make the error over the brain, with the bound of nine maps in ten as a property of their population."""
    statistics = MeasurementStatisticalProperties(
        values=[_property(_NINE_OF_TEN, error.bound_ppb)],
        description="Simulated maps with the same quality figures",
    )
    return Measurement(
        name=EXPECTED_ERROR,
        value=round(error.brain_ppb, 1),
        unit=PPB,
        derivation=codes.UMLS.RootMeanSquare,
        properties=MeasurementProperties(measurement_statistical_properties=statistics),
    )


def _property(name: Code, value_ppb: float) -> NumContentItem:
    kind = RelationshipTypeValues.HAS_PROPERTIES
    return NumContentItem(name=name, value=round(value_ppb, 1), unit=PPB, relationship_type=kind)


def _groups(
    report: RegionalReport, sources: Sources, segments: Dataset
) -> list[VolumetricROIMeasurementsAndQualitativeEvaluations]:
    algorithm, groups = _algorithm(report, sources), []
    for number, region in enumerate(report.regions, start=1):
        name, site = _name(region), _site(region)
        segment = ReferencedSegment(
            sop_class_uid=segments.SOPClassUID,
            sop_instance_uid=segments.SOPInstanceUID,
            segment_number=number,
            source_images=_source_images(sources.series, report.labels == region.label),
        )
        groups.append(
            VolumetricROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=TrackingIdentifier(uid=sources.uid("tracking", label=name), identifier=name),
                referenced_segment=segment,
                finding_type=site,
                finding_sites=[FindingSite(anatomic_location=site, laterality=_SIDES.get(region.side))],
                algorithm_id=algorithm,
                measurements=_measurements(region, sources.reconstruction.expected_error),
                qualitative_evaluations=[QualitativeEvaluation(name=_QUALITY, value=_PLAUSIBLE[region.plausible])],
            )
        )
    return groups


def _source_images(series: SourceSeries, region: npt.NDArray[np.bool_]) -> list[SourceImageForSegmentation]:
    """Name the images on which a region lies, in the order of the segmentation's frames: against the normal."""
    headers = [series.headers[z] for z in reversed(np.flatnonzero(region.any(axis=(0, 1))))]
    return [
        SourceImageForSegmentation(referenced_sop_class_uid=sop_class, referenced_sop_instance_uid=instance)
        for sop_class, instance in dict.fromkeys((h.sop_class_uid, h.sop_instance_uid) for h in headers)
    ]


def _evidence(series: SourceSeries, segments: Dataset) -> list[Dataset]:
    """Make what a library reads of the objects that a report refers to."""
    objects = [(segments.SOPClassUID, segments.SOPInstanceUID, segments.SeriesInstanceUID)]
    objects += [(h.sop_class_uid, h.sop_instance_uid, h.series_instance_uid) for h in series.headers]
    return [bare_object(*one, series) for one in dict.fromkeys(objects)]


def _measurements(region: RegionMeasure, error: ExpectedError | None) -> list[Measurement]:
    uncertainty = _uncertainty(error.nuclei_ppb[region.name]) if error and region.name in error.nuclei_ppb else None
    statistics = (
        (region.mean_ppb, codes.SCT.Mean, uncertainty),
        (region.sd_ppb, codes.SCT.StandardDeviation, None),
        (region.median_ppb, codes.SCT.Median, None),
    )
    measured = [
        Measurement(name=SUSCEPTIBILITY, value=round(value, 3), unit=PPB, derivation=derivation, properties=properties)
        for value, derivation, properties in statistics
    ]
    return [*measured, Measurement(name=_VOLUME, value=round(region.volume_mm3, 3), unit=_MM3)]


def _uncertainty(error_ppb: float) -> MeasurementProperties:
    """State an error in the unit of its measurement (TID 310); the library's own parameters have no unit."""
    properties = MeasurementProperties()
    for name in (codes.SCT.RangeOfUpperMeasurementUncertainty, codes.SCT.RangeOfLowerMeasurementUncertainty):
        properties.append(_property(name, error_ppb))
    return properties


def _site(region: RegionMeasure) -> Code:
    return SITES.get(region.name) or Code(shortened(region.name, 16), "99QSMPLUGIN", shortened(region.name, 64))


def _name(region: RegionMeasure) -> str:
    return f"{_site(region).meaning}, {region.side}"
