"""A GE scanner: all components in one series, distinguished by (0043,102F) alone.

Magnitude, real and imaginary, or magnitude and polar phase in thousandths of a radian, whose unit no element
states. Slices alternate in sign, and the phase falls where the field rises.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from dicom_io.synthetic.study import COMPONENT, ECHO, SLICE, Image, Matrix, Study, largest, set_pixels
from recon.types import GradientEcho

_SERIES: Final = 3
_CODE: Final = {"M": 0, "P": 1, "R": 2, "I": 3}


def images(echoes: GradientEcho, study: Study, *, components: str = "MRI") -> Iterator[Image]:
    """Make the images of the series: slice by slice, its echoes, their components (``"MP"`` for polar phase)."""
    for image in study.images(echoes, components, order=(SLICE, ECHO, COMPONENT), series=lambda *_: _SERIES):
        _describe(image, echoes, len(components))
        set_pixels(image.dataset, np.rint(_shown(echoes, image)).astype(np.int16))
        yield image


def _describe(image: Image, echoes: GradientEcho, components: int) -> None:
    dataset, slices = image.dataset, echoes.grid.shape[2]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    dataset.Manufacturer, dataset.ManufacturerModelName = "GE MEDICAL SYSTEMS", "SIGNA Premier"
    dataset.SoftwareVersions = "29"
    dataset.ImagesInAcquisition = slices * len(echoes.echo_times_s) * components
    locations = dataset.private_block(0x0021, "GEMS_RELA_01", create=True)
    locations.add_new(0x4F, "SS", slices)
    parameters = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
    parameters.add_new(0x2F, "SS", _CODE[image.component])


def _shown(echoes: GradientEcho, image: Image) -> Matrix:
    """Values of an image, ``(x, y)``, with GE's polarity and alternation."""
    echo, index = image.echo - 1, image.index
    magnitude = echoes.magnitude[echo, ..., index].astype(np.float64) * (32767 / largest(echoes.magnitude))
    signal = magnitude * np.exp(-1j * echoes.phase_rad[echo, ..., index].astype(np.float64)) * (-1) ** index
    parts: dict[str, Matrix] = {"M": np.abs(signal), "P": 1000 * np.angle(signal), "R": signal.real, "I": signal.imag}
    return parts[image.component]
