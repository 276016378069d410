"""Scanners known from documentation only: images described by the standard's own elements alone.

Rows differ in what the standard leaves open: where ImageType names the component, how the unit of phase is stated, and
whether components share a series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from dicom_io.synthetic.study import (
    COMPONENT,
    COMPONENT_NAMES,
    ECHO,
    SLICE,
    Image,
    Study,
    decimal,
    largest,
    set_pixels,
    shown,
)
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
    spelled_out
        Whether ImageType names the component in full.
    more
        Values of ImageType after the component.
    unit
        RescaleType of phase, "rad" or "mrad"; empty where only the range shows it.
    one_series
        Whether components share a series.
    """

    manufacturer: str
    model: str
    components: str = "MP"
    spelled_out: bool = False
    more: tuple[str, ...] = ()
    unit: str = ""
    one_series: bool = False


MAKERS: Final = MappingProxyType[str, Maker](
    {
        "canon": Maker(manufacturer="CANON_MEC", model="Vantage Galan 3T", unit="mrad", one_series=True),
        "united-imaging": Maker(manufacturer="UIH", model="uMR 790", more=("NONE",)),
        "hitachi": Maker(
            manufacturer="FUJIFILM Healthcare Corporation", model="ECHELON Smart", components="MRI", spelled_out=True
        ),
        "bruker": Maker(manufacturer="Bruker BioSpin MRI GmbH", model="BioSpec", more=("NONE",), unit="rad"),
        "other": Maker(manufacturer="Acme", model="One", unit="rad"),
    }
)

_SERIES: Final = {"M": 2, "P": 3, "R": 4, "I": 5}


def images(echoes: GradientEcho, study: Study, *, maker: str) -> Iterator[Image]:
    """Make the images of a key of ``MAKERS``, echo by echo, component by component."""
    made_by = MAKERS[maker]

    def series(component: str, _echo: int) -> int:
        return _SERIES["M" if made_by.one_series else component]

    for image in study.images(echoes, made_by.components, order=(ECHO, COMPONENT, SLICE), series=series):
        dataset, component = image.dataset, image.component
        dataset.Manufacturer, dataset.ManufacturerModelName = made_by.manufacturer, made_by.model
        dataset.SoftwareVersions = "1"
        name = COMPONENT_NAMES[component] if made_by.spelled_out else component
        dataset.ImageType = ["ORIGINAL", "PRIMARY", name, *made_by.more]
        _show(image, echoes, made_by.unit)
        yield image


def _show(image: Image, echoes: GradientEcho, unit: str) -> None:
    values, peak = shown(echoes, image), largest(echoes.magnitude)
    stored: npt.NDArray[np.uint16] | npt.NDArray[np.int16]
    if image.component == "P":
        factor = 1e3 if unit == "mrad" else 1.0
        image.dataset.RescaleSlope = decimal(2 * np.pi * factor / 4096)
        image.dataset.RescaleIntercept = decimal(-np.pi * factor)
        if unit:
            image.dataset.RescaleType = unit
        stored = (np.rint((values + np.pi) * (4096 / (2 * np.pi))) % 4096).astype(np.uint16)
    elif image.component == "M":
        stored = np.rint(values * (4095 / peak)).astype(np.uint16)
    else:
        stored = np.rint(values * (32767 / peak)).astype(np.int16)
    set_pixels(image.dataset, stored)
