"""Scanners that do not exist: a gradient echo written the way a vendor's scanner writes it.

One file per vendor, each with the same function ``images``; to add one: one file, one row in ``SCANNERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dicom_io.errors import DicomError
from dicom_io.scanner import enhanced, ge, philips, siemens
from dicom_io.scanner.study import Image, Study, write_image
from recon.types import GradientEcho

Scanner = Callable[[GradientEcho, Study], Iterator[Image]]

SCANNERS: Final = MappingProxyType[str, Scanner](
    {
        "siemens": siemens.images,
        "siemens-norescale": partial(siemens.images, rescale=False),
        "ge": ge.images,
        "philips": philips.images,
        "siemens-enhanced": partial(enhanced.images, classic=siemens.images, split=True),
        "philips-enhanced": partial(enhanced.images, classic=philips.images, split=False),
    }
)


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
        There is no such scanner.
    """
    if vendor not in SCANNERS:
        raise DicomError(f"no scanner called {vendor!r}; there are: {', '.join(SCANNERS)}")
    folder.mkdir(parents=True, exist_ok=True)
    study = Study.of(echoes, seed=study_seed, vendor=vendor, patient_name=patient_name)
    return tuple(write_image(image, folder) for image in SCANNERS[vendor](echoes, study))
