"""A GE scanner: magnitude, real and imaginary in one series, told apart by (0043,102F) alone.

Slices alternate in sign, and the phase falls where the field rises.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dicom_io.scanner.study import Image, Study, set_pixels
from recon.types import GradientEcho

_SERIES = 3
_MAGNITUDE, _REAL, _IMAGINARY = 0, 2, 3


def images(echoes: GradientEcho, study: Study) -> Iterator[Image]:
    """Make the images of the series: slice by slice, its echoes, magnitude, real and imaginary."""
    scale = 32767 / (float(echoes.magnitude.max()) or 1.0)
    count = len(echoes.echo_times_s)
    for index in range(echoes.grid.shape[2]):
        for echo, echo_time_s in enumerate(echoes.echo_times_s):
            signal = _signal(echoes, echo, index) * scale
            shown = {_MAGNITUDE: np.abs(signal), _REAL: signal.real, _IMAGINARY: signal.imag}
            for place, (code, values) in enumerate(shown.items()):
                number = (index * count + echo) * 3 + place + 1
                dataset = study.dataset(series=_SERIES, number=number, index=index, echo_time_s=echo_time_s)
                dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
                dataset.Manufacturer, dataset.ManufacturerModelName = "GE MEDICAL SYSTEMS", "SIGNA Premier"
                dataset.SoftwareVersions = "29"
                dataset.SeriesDescription = "qsm_gre"
                dataset.EchoNumbers = echo + 1
                dataset.EchoTrainLength = count
                dataset.ImagesInAcquisition = echoes.grid.shape[2] * count * len(shown)
                locations = dataset.private_block(0x0021, "GEMS_RELA_01", create=True)
                locations.add_new(0x4F, "SS", echoes.grid.shape[2])
                parameters = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
                parameters.add_new(0x2F, "SS", code)
                set_pixels(dataset, np.rint(values).astype(np.int16))
                yield Image(dataset=dataset, series=_SERIES, number=number)


def _signal(echoes: GradientEcho, echo: int, index: int) -> npt.NDArray[np.complex128]:
    """Complex signal of a slice with GE's polarity and alternation."""
    magnitude = echoes.magnitude[echo, ..., index].astype(np.float64)
    phase_rad = echoes.phase_rad[echo, ..., index].astype(np.float64)
    signal: npt.NDArray[np.complex128] = magnitude * np.exp(-1j * phase_rad) * (-1) ** index
    return signal
