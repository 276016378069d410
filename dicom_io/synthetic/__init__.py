"""Simulated scanners: a gradient echo written the way a vendor's scanner writes it.

Each file has a function ``images``, for a vendor's classic images or for a kind of object that gathers them. To add
one: one row in ``CLASSIC`` or ``OBJECTS``, and one file; or one row in ``standard.MAKERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dicom_io.errors import DicomError
from dicom_io.synthetic import enhanced, ge, legacy, philips, siemens, standard
from dicom_io.synthetic.study import Image, Study, write_image
from recon.types import GradientEcho

Scanner = Callable[[GradientEcho, Study], Iterator[Image]]

CLASSIC: Final = MappingProxyType[str, Scanner](
    {
        "siemens": siemens.images,
        "siemens-norescale": partial(siemens.images, rescale=False),
        "siemens-complex": partial(siemens.images, components="MPRI"),
        "siemens-real": partial(siemens.images, components="RI"),
        "siemens-xa": partial(siemens.images, split=True),
        "ge": ge.images,
        "ge-polar": partial(ge.images, components="MP"),
        "philips": philips.images,
        "philips-complex": partial(philips.images, components="MPRI"),
        "philips-real": partial(philips.images, components="RI"),
        "philips-mapping": partial(philips.images, unit="mapping"),
        **{maker: partial(standard.images, maker=maker) for maker in standard.MAKERS},
    }
)
"""Scanners by name, each writing classic MR images."""

_SPLIT: Final = {
    "siemens": ("component", "echo"),
    "canon": ("echo",),
    "united-imaging": ("component",),
    "hitachi": ("echo",),
    "bruker": ("component",),
}
"""How a vendor divides an acquisition into Enhanced objects; one object with all of it where not listed."""


def _enhanced(name: str) -> Scanner:
    split = _SPLIT.get(name) or _SPLIT.get(name.partition("-")[0], ())
    return partial(enhanced.images, classic=CLASSIC[name], split=split)


OBJECTS: Final = MappingProxyType[str, Callable[[str], Scanner]](
    {
        "classic": lambda name: CLASSIC[name],
        "enhanced": _enhanced,
        "legacy": lambda name: partial(legacy.images, classic=CLASSIC[name]),
    }
)
"""Kinds of objects: MR Image, Enhanced MR Image, Legacy Converted Enhanced MR Image Storage."""

SCANNERS: Final = MappingProxyType[str, Scanner](
    {name if kind == "classic" else f"{name}-{kind}": make(name) for kind, make in OBJECTS.items() for name in CLASSIC}
)
"""Every scanner with every kind of object: ``"ge"``, ``"ge-enhanced"``, ``"ge-legacy"``."""


def write_scan(
    echoes: GradientEcho,
    folder: Path,
    *,
    vendor: str,
    study_seed: int,
    patient_name: str = "QSM^PHANTOM",
) -> tuple[Path, ...]:
    """Write a gradient echo as the images of a scanner, in the order in which it would send them.

    Parameters
    ----------
    echoes
        The signal, ``(echo, x, y, z)``.
    folder
        Made if it does not exist.
    vendor
        A key of ``SCANNERS``.
    study_seed
        Every identifier follows from it; the same seed gives the same bytes.
    patient_name
        PatientName (0010,0010).

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    DicomError
        The scanner is unknown.
    """
    if vendor not in SCANNERS:
        raise DicomError(f"unknown scanner {vendor!r}; known are {', '.join(SCANNERS)}")
    folder.mkdir(parents=True, exist_ok=True)
    study = Study.of(echoes, seed=study_seed, vendor=vendor, patient_name=patient_name)
    return tuple(write_image(image, folder) for image in SCANNERS[vendor](echoes, study))
