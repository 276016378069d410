"""A Siemens scanner: a series for each component, phase from 0 to 4095 over ±π."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from dicom_io.synthetic.study import Image, Study, set_pixels, shown
from recon.types import GradientEcho

_SERIES: Final = {"M": 5, "P": 6, "R": 7, "I": 8}


def images(
    echoes: GradientEcho, study: Study, *, components: str = "MP", rescale: bool = True, split: bool = False
) -> Iterator[Image]:
    """Make the images of one series per component, echo by echo.

    Parameters
    ----------
    echoes
        The signal.
    study
        Identity and geometry.
    components
        Any of M, P, R and I.
    rescale
        Whether the phase images carry slope 2 and intercept -4096.
    split
        As XA exports an Enhanced acquisition to classic images: a series per echo and component, no EchoNumbers.
    """
    for component in components:
        for echo, echo_time_s in enumerate(echoes.echo_times_s):
            series = _SERIES[component] * 1000 + echo + 1 if split else _SERIES[component]
            for index in range(echoes.grid.shape[2]):
                number = index + 1 if split else echo * echoes.grid.shape[2] + index + 1
                dataset = study.dataset(series=series, number=number, index=index, echo_time_s=echo_time_s)
                _describe(dataset, echoes, component, split)
                if not split:
                    dataset.EchoNumbers = echo + 1
                if component != "M" and (rescale or component != "P"):
                    dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-4096"
                    dataset.RescaleType = "US"
                set_pixels(dataset, _stored(echoes, component, echo, index))
                yield Image(dataset=dataset, series=series, number=number, component=component, echo=echo + 1)


def _describe(dataset: Dataset, echoes: GradientEcho, component: str, split: bool) -> None:
    count = len(echoes.echo_times_s)
    if split:
        dataset.Manufacturer, dataset.ManufacturerModelName = "Siemens Healthineers", "MAGNETOM Vida"
        dataset.SoftwareVersions = "syngo MR XA30"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", component, "DIS2D", "MFSPLIT"]
    else:
        dataset.Manufacturer, dataset.ManufacturerModelName = "SIEMENS", "Prisma"
        dataset.SoftwareVersions = "syngo MR E11"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", component, "ND", *(["NORM"] if component == "M" else [])]
    dataset.SequenceName = f"*fl3d{count}r"
    dataset.EchoTrainLength = count
    dataset.SeriesDescription = "qsm_gre"
    _state_protocol(dataset, echoes)


def _stored(echoes: GradientEcho, component: str, echo: int, index: int) -> npt.NDArray[np.uint16]:
    largest = float(echoes.magnitude.max()) or 1.0
    values = shown(echoes, component, echo, index)
    if component == "M":
        scaled = np.rint(values * (4095 / largest))
    elif component == "P":
        scaled = np.rint(values * (2048 / np.pi) + 2048) % 4096
    else:
        scaled = np.rint(values * (2047 / largest) + 2048)
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
