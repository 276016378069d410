"""A Siemens scanner: a series for each component, phase from 0 to 4095 over ±π."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from dicom_io.synthetic.study import COMPONENT, ECHO, SLICE, Image, Study, largest, set_pixels, shown
from recon.types import GradientEcho

_SERIES: Final = {"M": 5, "P": 6, "R": 7, "I": 8}


def images(
    echoes: GradientEcho, study: Study, *, components: str = "MP", rescale: bool = True, split: bool = False
) -> Iterator[Image]:
    """Make the images of one series per component, echo by echo.

    With ``rescale``, phase images carry slope 2 and intercept -4096. With ``split``, as XA exports Enhanced objects to
    classic images: a series per echo and component, no EchoNumbers.
    """

    def series(component: str, echo: int) -> int:
        return _SERIES[component] * 1000 + echo if split else _SERIES[component]

    for image in study.images(echoes, components, order=(COMPONENT, ECHO, SLICE), series=series):
        _describe(image.dataset, echoes, image.component, split)
        if image.component != "M" and (rescale or image.component != "P"):
            image.dataset.RescaleSlope, image.dataset.RescaleIntercept = "2", "-4096"
            image.dataset.RescaleType = "US"
        set_pixels(image.dataset, _stored(echoes, image))
        yield image


def _describe(dataset: Dataset, echoes: GradientEcho, component: str, split: bool) -> None:
    if split:
        del dataset.EchoNumbers
        dataset.Manufacturer, dataset.ManufacturerModelName = "Siemens Healthineers", "MAGNETOM Vida"
        dataset.SoftwareVersions = "syngo MR XA30"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", component, "DIS2D", "MFSPLIT"]
    else:
        dataset.Manufacturer, dataset.ManufacturerModelName = "SIEMENS", "Prisma"
        dataset.SoftwareVersions = "syngo MR E11"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", component, "ND", *(["NORM"] if component == "M" else [])]
    dataset.SequenceName = f"*fl3d{len(echoes.echo_times_s)}r"
    _state_protocol(dataset, echoes)


def _stored(echoes: GradientEcho, image: Image) -> npt.NDArray[np.uint16]:
    values, peak = shown(echoes, image), largest(echoes.magnitude)
    if image.component == "M":
        scaled = np.rint(values * (4095 / peak))
    elif image.component == "P":
        scaled = np.rint(values * (2048 / np.pi) + 2048) % 4096
    else:
        scaled = np.rint(values * (2047 / peak) + 2048)
    return scaled.astype(np.uint16)


def _state_protocol(dataset: Dataset, echoes: GradientEcho) -> None:
    """Keep the counts of the measurement protocol as text, as VE11 does."""
    lines = (
        "### ASCCONV BEGIN ###",
        f"lContrasts\t = \t{len(echoes.echo_times_s)}",
        "sSliceArray.lSize\t = \t1",
        f"sKSpace.lImagesPerSlab\t = \t{echoes.grid.shape[2]}",
        "### ASCCONV END ###\n",
    )
    text = "\n".join(lines).encode()
    block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    block.add_new(0x20, "OB", text + b" " * (len(text) % 2))
