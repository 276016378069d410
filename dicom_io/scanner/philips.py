"""A Philips scanner: one series, phase in milliradians, magnitude with a display slope per echo."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from dicom_io.scanner.study import Image, Study, decimal, set_pixels
from recon.types import FloatArray, GradientEcho

_SERIES = 401
_PHASE_SLOPE, _PHASE_INTERCEPT = 1.53455433455433, -3142.0


def images(echoes: GradientEcho, study: Study) -> Iterator[Image]:
    """Make the images of the series: slice by slice, its echoes, magnitude then phase."""
    count = len(echoes.echo_times_s)
    for index in range(echoes.grid.shape[2]):
        for echo, echo_time_s in enumerate(echoes.echo_times_s):
            for place, show in enumerate((_show_magnitude, _show_phase)):
                number = (index * count + echo) * 2 + place + 1
                dataset = study.dataset(series=_SERIES, number=number, index=index, echo_time_s=echo_time_s)
                dataset.Manufacturer, dataset.ManufacturerModelName = "Philips", "Ingenia Elition X"
                dataset.SoftwareVersions = ["5.7.1", "5.7.1.1"]
                dataset.SeriesDescription = "qsm_gre"
                dataset.AcquisitionNumber = 4
                dataset.EchoNumbers = echo + 1
                dataset.EchoTrainLength = count
                private = dataset.private_block(0x2001, "Philips Imaging DD 001", create=True)
                private.add_new(0x14, "SL", count)
                private.add_new(0x18, "SL", echoes.grid.shape[2])
                show(dataset, echoes, echo, index)
                yield Image(dataset=dataset, series=_SERIES, number=number)


def _show_magnitude(dataset: Dataset, echoes: GradientEcho, echo: int, index: int) -> None:
    """Each echo fills the stored range; display slope times scale slope is the same for all (FP values)."""
    largest = float(echoes.magnitude[echo].max()) or 1.0
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"]
    dataset.RescaleSlope = decimal(1.29157509157509 * largest / (float(echoes.magnitude.max()) or 1.0))
    dataset.RescaleIntercept = "0"
    dataset.RescaleType = "normalized"
    private = dataset.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
    private.add_new(0x0E, "FL", float(np.float32(4095 / largest)))
    set_pixels(dataset, _stored(echoes.magnitude[echo, ..., index] * (4095 / largest)))


def _show_phase(dataset: Dataset, echoes: GradientEcho, echo: int, index: int) -> None:
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "PHASE MAP", "P", "FFE"]
    dataset.RescaleSlope = decimal(_PHASE_SLOPE)
    dataset.RescaleIntercept = decimal(_PHASE_INTERCEPT)
    dataset.RescaleType = "mrad"
    milliradians = echoes.phase_rad[echo, ..., index] * np.float32(1e3)
    set_pixels(dataset, _stored((milliradians - _PHASE_INTERCEPT) / _PHASE_SLOPE))


def _stored(values: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    return np.clip(np.rint(values), 0, 4095).astype(np.uint16)
