"""A Philips scanner: one series, phase by unit or mapping, magnitude with a display slope per echo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from dicom_io.synthetic.study import Image, Matrix, Study, decimal, set_pixels, shown
from recon.types import GradientEcho

_SERIES: Final = 401
_PHASE_SLOPE: Final = 1.53455433455433
_PHASE_INTERCEPT: Final = -3142.0
_TYPE: Final = {"M": ("M_FFE", "M"), "P": ("PHASE MAP", "P"), "R": ("R_FFE", "R"), "I": ("I_FFE", "I")}

PhaseUnit = Literal["mrad", "none", "mapping"]


def images(echoes: GradientEcho, study: Study, *, components: str = "MP", unit: PhaseUnit = "mrad") -> Iterator[Image]:
    """Make the images of the series: slice by slice, its echoes, their components.

    Parameters
    ----------
    echoes
        The signal.
    study
        Identity and geometry.
    components
        Any of M, P, R and I.
    unit
        How the unit of phase is told: by RescaleType, not at all, or by a Real World Value Mapping to radians beside a
        rescale for display.
    """
    count = len(echoes.echo_times_s)
    for index in range(echoes.grid.shape[2]):
        for echo, echo_time_s in enumerate(echoes.echo_times_s):
            for place, component in enumerate(components):
                number = (index * count + echo) * len(components) + place + 1
                dataset = study.dataset(series=_SERIES, number=number, index=index, echo_time_s=echo_time_s)
                dataset.EchoNumbers = echo + 1
                _describe(dataset, echoes, component)
                if component == "P":
                    _show_phase(dataset, echoes, echo, index, unit)
                else:
                    _show(dataset, echoes, component, echo, index)
                yield Image(dataset=dataset, series=_SERIES, number=number, component=component, echo=echo + 1)


def _describe(dataset: Dataset, echoes: GradientEcho, component: str) -> None:
    count = len(echoes.echo_times_s)
    dataset.Manufacturer, dataset.ManufacturerModelName = "Philips", "Ingenia Elition X"
    dataset.SoftwareVersions = ["5.7.1", "5.7.1.1"]
    dataset.SeriesDescription = "qsm_gre"
    dataset.AcquisitionNumber = 4
    dataset.EchoTrainLength = count
    dataset.ImageType = ["ORIGINAL", "PRIMARY", *_TYPE[component], "FFE"]
    private = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
    private.add_new(0x14, "SL", count)
    private.add_new(0x18, "SL", echoes.grid.shape[2])


def _show(dataset: Dataset, echoes: GradientEcho, component: str, echo: int, index: int) -> None:
    """Each echo fills the stored range; display slope times scale slope is the same for all (FP values)."""
    largest = float(echoes.magnitude[echo].max()) or 1.0
    display = 1.29157509157509 * largest / (float(echoes.magnitude.max()) or 1.0)
    scale_slope, offset = (4095 / largest, 0.0) if component == "M" else (2047 / largest, 2048.0)
    dataset.RescaleSlope = decimal(display)
    dataset.RescaleIntercept = decimal(-offset * display)
    dataset.RescaleType = "normalized"
    private = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    private.add_new(0x0E, "FL", float(np.float32(scale_slope)))
    values = shown(echoes, component, echo, index)
    set_pixels(dataset, _stored(values * scale_slope + offset))


def _show_phase(dataset: Dataset, echoes: GradientEcho, echo: int, index: int, unit: PhaseUnit) -> None:
    dataset.RescaleSlope = decimal(_PHASE_SLOPE)
    dataset.RescaleIntercept = decimal(_PHASE_INTERCEPT)
    if unit == "mrad":
        dataset.RescaleType = "mrad"
    if unit == "mapping":
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "1", "0", "normalized"
        dataset.RealWorldValueMappingSequence = [_mapping()]
    milliradians = shown(echoes, "P", echo, index) * 1e3
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
