"""What a derived image refers to: its source images, their series, and the equipment that took part."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from pydicom.dataset import Dataset

from dicom_io.derived.codes import code_item
from dicom_io.derived.context.source import scanner_equipment
from dicom_io.identity import MANUFACTURER, MODEL_NAME, SOFTWARE_VERSIONS
from dicom_io.source.file import MULTI_FRAME_CLASSES
from dicom_io.source.header import ImageHeader


def source_images(headers: Sequence[ImageHeader]) -> list[Dataset]:
    """Make the items of SourceImageSequence: every echo and component of the slice."""
    items = []
    for header in headers:
        item = _instance(header)
        if header.sop_class_uid in MULTI_FRAME_CLASSES:
            item.ReferencedFrameNumber = header.frame + 1
        item.SpatialLocationsPreserved = "YES"
        item.PurposeOfReferenceCodeSequence = [source_purpose()]
        items.append(item)
    return items


def source_purpose() -> Dataset:
    """Make the item that says what a source image was used for."""
    return code_item("121322", "DCM", "Source image for image processing operation")


def referenced_series(headers: Sequence[ImageHeader]) -> list[Dataset]:
    """Make the items of ReferencedSeriesSequence (Common Instance Reference, PS3.3 C.12.2)."""
    items = []
    for uid, instances in by_series(headers):
        item = Dataset()
        item.SeriesInstanceUID = uid
        item.ReferencedInstanceSequence = [_instance(header) for header in instances]
        items.append(item)
    return items


def by_series(headers: Sequence[ImageHeader]) -> list[tuple[str, list[ImageHeader]]]:
    """Return each series' UID with one header of each of its objects, both in the order of their UIDs."""
    ordered = sorted(headers, key=lambda h: (h.series_instance_uid, h.sop_instance_uid))
    series = groupby(ordered, key=lambda h: h.series_instance_uid)
    return [(uid, list({header.sop_instance_uid: header for header in group}.values())) for uid, group in series]


def source_evidence(headers: Sequence[ImageHeader]) -> list[Dataset]:
    """Make the items of SourceImageEvidenceSequence: study, series and objects (PS3.3 Table C.17-3)."""
    study = Dataset()
    study.StudyInstanceUID = headers[0].study_instance_uid
    study.ReferencedSeriesSequence = []
    for series in referenced_series(headers):
        item = Dataset()
        item.SeriesInstanceUID = series.SeriesInstanceUID
        item.ReferencedSOPSequence = series.ReferencedInstanceSequence
        study.ReferencedSeriesSequence.append(item)
    return [study]


def contributing_equipment(source: Dataset, created: datetime) -> list[Dataset]:
    """Make the items of ContributingEquipmentSequence: the scanner, and this software.

    General Equipment describes what made this series, which is this software; the scanner is kept here.
    """
    scanner = scanner_equipment(source)
    if "Manufacturer" not in scanner:
        scanner.Manufacturer = "unknown"
    scanner.PurposeOfReferenceCodeSequence = [code_item("109101", "DCM", "Acquisition Equipment")]
    software = Dataset()
    software.PurposeOfReferenceCodeSequence = [code_item("109102", "DCM", "Processing Equipment")]
    software.Manufacturer, software.ManufacturerModelName = MANUFACTURER, MODEL_NAME
    software.SoftwareVersions = SOFTWARE_VERSIONS
    software.ContributionDateTime = created.strftime("%Y%m%d%H%M%S")
    software.ContributionDescription = "Quantitative susceptibility mapping"
    return [scanner, software]


def _instance(header: ImageHeader) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.sop_class_uid
    item.ReferencedSOPInstanceUID = header.sop_instance_uid
    return item
