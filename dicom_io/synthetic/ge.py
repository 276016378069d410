"""A GE scanner: all components in one series, told apart by (0043,102F) alone.

Magnitude, real and imaginary, or magnitude and polar phase in thousandths of a radian, whose unit no element
states. Slices alternate in sign, and the phase falls where the field rises.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from dicom_io.synthetic.study import Image, Matrix, Study, set_pixels
from recon.types import GradientEcho

_SERIES: Final = 3
_CODE: Final = {"M": 0, "P": 1, "R": 2, "I": 3}


def images(echoes: GradientEcho, study: Study, *, components: str = "MRI") -> Iterator[Image]:
    """Make the images of the series: slice by slice, its echoes, their components.

    Parameters
    ----------
    echoes
        The signal.
    study
        Identity and geometry.
    components
        ``"MRI"``, or ``"MP"`` for polar phase.
    """
    count = len(echoes.echo_times_s)
    for index in range(echoes.grid.shape[2]):
        for echo, echo_time_s in enumerate(echoes.echo_times_s):
            for place, (component, values) in enumerate(_shown(echoes, echo, index, components).items()):
                number = (index * count + echo) * len(components) + place + 1
                dataset = study.dataset(series=_SERIES, number=number, index=index, echo_time_s=echo_time_s)
                dataset.EchoNumbers = echo + 1
                _describe(dataset, echoes, component, len(components))
                set_pixels(dataset, np.rint(values).astype(np.int16))
                yield Image(dataset=dataset, series=_SERIES, number=number, component=component, echo=echo + 1)


def _describe(dataset: Dataset, echoes: GradientEcho, component: str, components: int) -> None:
    count, slices = len(echoes.echo_times_s), echoes.grid.shape[2]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    dataset.Manufacturer, dataset.ManufacturerModelName = "GE MEDICAL SYSTEMS", "SIGNA Premier"
    dataset.SoftwareVersions = "29"
    dataset.SeriesDescription = "qsm_gre"
    dataset.EchoTrainLength = count
    dataset.ImagesInAcquisition = slices * count * components
    locations = dataset.private_block(0x0021, "GEMS_RELA_01", create=True)
    locations.add_new(0x4F, "SS", slices)
    parameters = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
    parameters.add_new(0x2F, "SS", _CODE[component])


def _shown(echoes: GradientEcho, echo: int, index: int, components: str) -> dict[str, Matrix]:
    """Values of a slice with GE's polarity and alternation."""
    scale = 32767 / (float(echoes.magnitude.max()) or 1.0)
    magnitude = echoes.magnitude[echo, ..., index].astype(np.float64) * scale
    signal = magnitude * np.exp(-1j * echoes.phase_rad[echo, ..., index].astype(np.float64)) * (-1) ** index
    parts = {"M": np.abs(signal), "P": 1000 * np.angle(signal), "R": signal.real, "I": signal.imag}
    return {component: parts[component] for component in components}
