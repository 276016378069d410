"""A Siemens scanner: a magnitude and a phase series, phase from 0 to 4095 over ±π."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset

from dicom_io.scanner.study import Image, Study, set_pixels
from recon.types import GradientEcho

_MAGNITUDE_SERIES, _PHASE_SERIES = 5, 6


def images(echoes: GradientEcho, study: Study, *, rescale: bool = True) -> Iterator[Image]:
    """Make the images of both series, echo by echo.

    Parameters
    ----------
    echoes
        The signal.
    study
        Identity and geometry.
    rescale
        Whether the phase images carry slope 2 and intercept -4096.
    """
    largest = float(echoes.magnitude.max()) or 1.0
    for series in (_MAGNITUDE_SERIES, _PHASE_SERIES):
        for echo, echo_time_s in enumerate(echoes.echo_times_s):
            for index in range(echoes.grid.shape[2]):
                number = echo * echoes.grid.shape[2] + index + 1
                dataset = study.dataset(series=series, number=number, index=index, echo_time_s=echo_time_s)
                dataset.Manufacturer, dataset.ManufacturerModelName = "SIEMENS", "Prisma"
                dataset.SoftwareVersions = "syngo MR E11"
                dataset.SequenceName = f"*fl3d{len(echoes.echo_times_s)}r"
                dataset.EchoTrainLength = len(echoes.echo_times_s)
                _state_protocol(dataset, echoes)
                dataset.SeriesDescription = "qsm_gre"
                dataset.EchoNumbers = echo + 1
                if series == _MAGNITUDE_SERIES:
                    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"]
                    scaled = np.rint(echoes.magnitude[echo, ..., index] * (4095 / largest))
                else:
                    dataset.ImageType = ["ORIGINAL", "PRIMARY", "P", "ND"]
                    scaled = np.rint(echoes.phase_rad[echo, ..., index] * (2048 / np.pi) + 2048) % 4096
                    if rescale:
                        dataset.RescaleSlope, dataset.RescaleIntercept = "2", "-4096"
                        dataset.RescaleType = "US"
                set_pixels(dataset, scaled.astype(np.uint16))
                yield Image(dataset=dataset, series=series, number=number)


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
