"""A Philips scanner: one series, phase by unit or mapping, magnitude with a display slope per echo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from dicom_io.synthetic.study import (
    COMPONENT,
    ECHO,
    SLICE,
    Image,
    Matrix,
    Study,
    decimal,
    largest,
    set_pixels,
    shown,
)
from recon.types import GradientEcho

_SERIES: Final = 401
_PHASE_SLOPE: Final = 1.53455433455433
_PHASE_INTERCEPT: Final = -3142.0
_TYPE: Final = {"M": ("M_FFE", "M"), "P": ("PHASE MAP", "P"), "R": ("R_FFE", "R"), "I": ("I_FFE", "I")}

PhaseUnit = Literal["mrad", "none", "mapping"]


def images(echoes: GradientEcho, study: Study, *, components: str = "MP", unit: PhaseUnit = "mrad") -> Iterator[Image]:
    """Make the images of the series: slice by slice, its echoes, their components.

    ``unit`` of phase is stated by RescaleType ("mrad"), not at all, or by a Real World Value Mapping to radians beside
    a rescale for display.
    """
    for image in study.images(echoes, components, order=(SLICE, ECHO, COMPONENT), series=lambda *_: _SERIES):
        _describe(image, echoes)
        if image.component == "P":
            _show_phase(image, echoes, unit)
        else:
            _show(image, echoes)
        yield image


def _describe(image: Image, echoes: GradientEcho) -> None:
    dataset = image.dataset
    dataset.Manufacturer, dataset.ManufacturerModelName = "Philips", "Ingenia Elition X"
    dataset.SoftwareVersions = ["5.7.1", "5.7.1.1"]
    dataset.AcquisitionNumber = 4
    dataset.ImageType = ["ORIGINAL", "PRIMARY", *_TYPE[image.component], "FFE"]
    private = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
    private.add_new(0x14, "SL", len(echoes.echo_times_s))
    private.add_new(0x18, "SL", echoes.grid.shape[2])


def _show(image: Image, echoes: GradientEcho) -> None:
    """Each echo fills the stored range; display slope times scale slope is the same for all (FP values)."""
    peak = largest(echoes.magnitude[image.echo - 1])
    display = 1.29157509157509 * peak / largest(echoes.magnitude)
    scale_slope, offset = (4095 / peak, 0.0) if image.component == "M" else (2047 / peak, 2048.0)
    image.dataset.RescaleSlope = decimal(display)
    image.dataset.RescaleIntercept = decimal(-offset * display)
    image.dataset.RescaleType = "normalized"
    private = image.dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    private.add_new(0x0E, "FL", float(np.float32(scale_slope)))
    set_pixels(image.dataset, _stored(shown(echoes, image) * scale_slope + offset))


def _show_phase(image: Image, echoes: GradientEcho, unit: PhaseUnit) -> None:
    dataset = image.dataset
    dataset.RescaleSlope = decimal(_PHASE_SLOPE)
    dataset.RescaleIntercept = decimal(_PHASE_INTERCEPT)
    if unit == "mrad":
        dataset.RescaleType = "mrad"
    if unit == "mapping":
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "1", "0", "normalized"
        dataset.RealWorldValueMappingSequence = [_mapping()]
    milliradians = shown(echoes, image) * 1e3
    set_pixels(dataset, _stored((milliradians - _PHASE_INTERCEPT) / _PHASE_SLOPE))


def _mapping() -> Dataset:
    """Real World Value Mapping of the stored values to radians (PS3.3 C.7.6.16.2.11)."""
    unit = Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "rad", "UCUM", "radian"
    mapping = Dataset()
    mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = 0, 4095
    mapping.RealWorldValueSlope = _PHASE_SLOPE * 1e-3
    mapping.RealWorldValueIntercept = _PHASE_INTERCEPT * 1e-3
    mapping.LUTExplanation, mapping.LUTLabel = "phase", "PHASE"
    mapping.MeasurementUnitsCodeSequence = [unit]
    return mapping


def _stored(values: Matrix) -> npt.NDArray[np.uint16]:
    return np.clip(np.rint(values), 0, 4095).astype(np.uint16)
