"""Susceptibility as a Parametric Map of 32-bit floats (PS3.3 A.75), for software that computes with it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import highdicom
import numpy as np
from highdicom import VOILUTTransformation
from highdicom.pm import DerivedPixelContrastValues, ParametricMap, RealWorldValueMapping
from pydicom.sr.coding import Code as SrCode
from pydicom.uid import ParametricMapStorage

from dicom_io.derived.context.derivation import derivation_of_qsm
from dicom_io.derived.context.origin import Origin
from dicom_io.derived.context.references import contributing_equipment, referenced_series
from dicom_io.derived.context.series_module import adopt, mark
from dicom_io.derived.context.source import body_part
from dicom_io.derived.frames import bare_planes, restore
from dicom_io.derived.pixel_profile import require_finite
from dicom_io.derived.products import PPB, QSM, SUSCEPTIBILITY
from dicom_io.derived.series_files import write_series
from dicom_io.derived.written import WrittenSeries
from dicom_io.identity import DEVICE_SERIAL_NUMBER, MANUFACTURER, MODEL_NAME, SOFTWARE_VERSIONS
from dicom_io.uids import uid_of
from recon.types import Reconstruction

NAME: Final = "parametric-map"
_TITLE: Final = "QSM chi ppb float"


def write_parametric_map(reconstruction: Reconstruction, origin: Origin, folder: Path) -> WrittenSeries:
    """Write a susceptibility map in ppb without rounding or clipping, one frame per slice, ascending.

    Parameters
    ----------
    reconstruction, origin, folder
        As of ``dicom_io.derived.mr.write_qsm``.

    Raises
    ------
    DicomError
        As there.
    """
    susceptibility = reconstruction.susceptibility
    origin.check_shape(susceptibility.chi_ppm.shape)
    require_finite(susceptibility.chi_ppm)
    uid = origin.series_uid(NAME, reconstruction.provenance, reference=susceptibility.reference)
    values = np.ascontiguousarray((susceptibility.chi_ppm * np.float32(1000)).transpose(2, 1, 0))
    made = ParametricMap(
        source_images=bare_planes(origin),
        pixel_array=values,
        series_instance_uid=uid,
        series_number=origin.numbers[NAME],
        sop_instance_uid=uid_of(uid, "1"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MODEL_NAME,
        software_versions=SOFTWARE_VERSIONS,
        device_serial_number=DEVICE_SERIAL_NUMBER,
        contains_recognizable_visual_features=True,
        real_world_value_mappings=[_mapping(values)],
        voi_lut_transformations=[_windows()],
        content_label="QSM",
        content_description="Magnetic susceptibility in ppb",
        derived_pixel_contrast=DerivedPixelContrastValues.QUANTITY,
    )
    restore(made, origin, uid, origin.images_at)
    derived = adopt(made, origin)
    mark(derived, origin, uid=uid, number=origin.numbers[NAME], title=_TITLE)
    texts = derivation_of_qsm(reconstruction, origin.slices.echo_times_s, revision=origin.revision).texts()
    derived.ImageComments = texts[1]
    derived.update(body_part(origin.dataset))
    derived.ReferencedSeriesSequence = referenced_series(origin.all_images())
    derived.ContributingEquipmentSequence = contributing_equipment(origin.dataset, origin.created)
    return WrittenSeries(
        name=NAME,
        paths=write_series([derived], folder),
        sop_class_uid=ParametricMapStorage,
        series_number=origin.numbers[NAME],
        description=origin.description(_TITLE),
    )


def _mapping(values: np.ndarray) -> RealWorldValueMapping:
    return RealWorldValueMapping(
        lut_label=QSM.lut_label,
        lut_explanation="Magnetic susceptibility in part per billion",
        unit=SrCode(*PPB),
        value_range=(float(values.min()), float(values.max())),
        slope=1.0,
        intercept=0.0,
        quantity_definition=SrCode(*SUSCEPTIBILITY),
    )


def _windows() -> VOILUTTransformation:
    return VOILUTTransformation(
        window_center=[float(window.center) for window in QSM.windows],
        window_width=[float(window.width) for window in QSM.windows],
        window_explanation=[window.explanation for window in QSM.windows],
        voi_lut_function=highdicom.VOILUTFunctionValues.LINEAR_EXACT,
    )
