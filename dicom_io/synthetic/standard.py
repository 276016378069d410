"""Scanners of whom only documents are known: images that say what they are by the standard's own elements.

Each differs in what is left to chance: where ImageType names the component, how the unit of phase is told, and
whether components share a series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from dicom_io.synthetic.study import Image, Study, decimal, set_pixels, shown
from recon.types import GradientEcho


@dataclass(frozen=True, kw_only=True)
class Maker:
    """How a maker's scanner writes.

    Parameters
    ----------
    manufacturer, model
        Manufacturer and ManufacturerModelName.
    components
        Those that it stores.
    image_type
        ImageType from the third value on, by component.
    unit
        RescaleType of phase: "rad" or "mrad"; empty where the range alone tells.
    one_series
        Whether components share a series.
    """

    manufacturer: str
    model: str
    components: str
    image_type: dict[str, tuple[str, ...]]
    unit: str
    one_series: bool = False


MAKERS: Final = MappingProxyType[str, Maker](
    {
        "canon": Maker(
            manufacturer="CANON_MEC",
            model="Vantage Galan 3T",
            components="MP",
            image_type={"M": ("M",), "P": ("P",)},
            unit="mrad",
            one_series=True,
        ),
        "united-imaging": Maker(
            manufacturer="UIH",
            model="uMR 790",
            components="MP",
            image_type={"M": ("M", "NONE"), "P": ("P", "NONE")},
            unit="",
        ),
        "hitachi": Maker(
            manufacturer="FUJIFILM Healthcare Corporation",
            model="ECHELON Smart",
            components="MRI",
            image_type={"M": ("MAGNITUDE",), "R": ("REAL",), "I": ("IMAGINARY",)},
            unit="",
        ),
        "bruker": Maker(
            manufacturer="Bruker BioSpin MRI GmbH",
            model="BioSpec",
            components="MP",
            image_type={"M": ("M", "NONE"), "P": ("P", "NONE")},
            unit="rad",
        ),
        "other": Maker(
            manufacturer="Acme",
            model="One",
            components="MP",
            image_type={"M": ("M",), "P": ("P",)},
            unit="rad",
        ),
    }
)

_SERIES: Final = {"M": 2, "P": 3, "R": 4, "I": 5}


def images(echoes: GradientEcho, study: Study, *, maker: str) -> Iterator[Image]:
    """Make the images of a key of ``MAKERS``, echo by echo, component by component."""
    made_by, count, slices = MAKERS[maker], len(echoes.echo_times_s), echoes.grid.shape[2]
    for echo, echo_time_s in enumerate(echoes.echo_times_s):
        for place, component in enumerate(made_by.components):
            series = 2 if made_by.one_series else _SERIES[component]
            first = (echo * len(made_by.components) + place) * slices if made_by.one_series else echo * slices
            for index in range(slices):
                number = first + index + 1
                dataset = study.dataset(series=series, number=number, index=index, echo_time_s=echo_time_s)
                dataset.EchoNumbers = echo + 1
                dataset.EchoTrainLength = count
                dataset.Manufacturer, dataset.ManufacturerModelName = made_by.manufacturer, made_by.model
                dataset.SoftwareVersions, dataset.SeriesDescription = "1", "qsm_gre"
                dataset.ImageType = ["ORIGINAL", "PRIMARY", *made_by.image_type[component]]
                _show(dataset, echoes, component, echo, index, made_by.unit)
                yield Image(dataset=dataset, series=series, number=number, component=component, echo=echo + 1)


def _show(dataset: Dataset, echoes: GradientEcho, component: str, echo: int, index: int, unit: str) -> None:
    values = shown(echoes, component, echo, index)
    largest = float(echoes.magnitude.max()) or 1.0
    stored: npt.NDArray[np.uint16] | npt.NDArray[np.int16]
    if component == "P":
        factor = 1e3 if unit == "mrad" else 1.0
        dataset.RescaleSlope = decimal(2 * np.pi * factor / 4096)
        dataset.RescaleIntercept = decimal(-np.pi * factor)
        if unit:
            dataset.RescaleType = unit
        stored = (np.rint((values + np.pi) * (4096 / (2 * np.pi))) % 4096).astype(np.uint16)
    elif component == "M":
        stored = np.rint(values * (4095 / largest)).astype(np.uint16)
    else:
        stored = np.rint(values * (32767 / largest)).astype(np.int16)
    set_pixels(dataset, stored)
