"""Susceptibility as a Parametric Map of 32-bit floats (PS3.3 A.75), for software that computes with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from highdicom import VOILUTFunctionValues, VOILUTTransformation
from highdicom.pm import DerivedPixelContrastValues, ParametricMap, RealWorldValueMapping
from pydicom.sr.coding import Code as SrCode

from dicom_io.derived.context.derivation import map_texts
from dicom_io.derived.context.references import put, referenced_series
from dicom_io.derived.context.series_module import adopt
from dicom_io.derived.context.source import body_part
from dicom_io.derived.context.source_series import Sources
from dicom_io.derived.frames import bare_planes, identity_arguments, restore
from dicom_io.derived.pixel_profile import require_finite
from dicom_io.derived.product import MRImages, Product
from dicom_io.derived.products import PPB, QSM_IMAGES, SUSCEPTIBILITY
from dicom_io.derived.series_files import WrittenSeries, write_series


def write_parametric_map(product: Product, _made: None, sources: Sources, folder: Path) -> tuple[WrittenSeries]:
    """Write a susceptibility map in ppb without rounding or clipping, one frame per slice, ascending.

    Parameters and errors are those of ``dicom_io.derived.mr.write_images``.
    """
    series, susceptibility = sources.series, sources.reconstruction.susceptibility
    series.check_shape(susceptibility.chi_ppm.shape)
    require_finite(susceptibility.chi_ppm)
    uid = sources.uid(product.name, reference=susceptibility.reference)
    values_ppb = np.ascontiguousarray((susceptibility.chi_ppm * np.float32(1000)).transpose(2, 1, 0))
    made = ParametricMap(
        source_images=bare_planes(series),
        pixel_array=values_ppb,
        **identity_arguments(product, series, uid),
        contains_recognizable_visual_features=True,
        **_scale(QSM_IMAGES, (float(values_ppb.min()), float(values_ppb.max()))),
        content_label="QSM",
        content_description="Magnetic susceptibility in ppb",
        derived_pixel_contrast=DerivedPixelContrastValues.QUANTITY,
    )
    restore(made, series, uid, series.images_at)
    derived = adopt(made, series.context)
    derived.ImageComments = map_texts(sources)[1]
    derived.update(body_part(series.context.dataset))
    put(derived, referenced_series(series.all_images()))
    return (write_series([derived], product, series.context, uid, folder),)


def _scale(images: MRImages, value_range: tuple[float, float]) -> dict[str, Any]:
    """Return what a float map states of its values: quantity and unit, and the windows of the MR images."""
    mapping = RealWorldValueMapping(
        lut_label=images.lut_label,
        lut_explanation="Magnetic susceptibility in part per billion",
        unit=SrCode(*PPB),
        value_range=value_range,
        slope=1.0,
        intercept=0.0,
        quantity_definition=SrCode(*SUSCEPTIBILITY),
    )
    windows = VOILUTTransformation(
        window_center=[float(window.center) for window in images.windows],
        window_width=[float(window.width) for window in images.windows],
        window_explanation=[window.explanation for window in images.windows],
        voi_lut_function=VOILUTFunctionValues.LINEAR_EXACT,
    )
    return {"real_world_value_mappings": [mapping], "voi_lut_transformations": [windows]}
