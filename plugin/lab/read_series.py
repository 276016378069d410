"""Read a QSM series back to an array, by the values that the objects themselves declare."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import dcmread

from plugin.errors import PluginError


def read_qsm_ppb(paths: Iterable[Path]) -> npt.NDArray[np.float32]:
    """Read a QSM series through its real world value mapping (PS3.3 C.7.6.16.2.11).

    Returns
    -------
    ndarray
        ``(x, y, z)`` float32 in ppb, slices ascending along the normal.

    Raises
    ------
    PluginError
        There are no images, or they are of several series.
    """
    images = [dcmread(path) for path in paths]
    series = {str(image.SeriesInstanceUID) for image in images}
    if len(series) != 1:
        raise PluginError(f"found images of {len(series)} series; expected those of one QSM series")
    row, column = np.array(images[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    normal = np.cross(row, column)
    images.sort(key=lambda image: float(np.dot(np.array(image.ImagePositionPatient, dtype=float), normal)))
    slices = []
    for image in images:
        mapping = image.RealWorldValueMappingSequence[0]
        slope, intercept = mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept
        slices.append((image.pixel_array.astype(np.float32) * slope + intercept).T)
    return np.stack(slices, axis=-1).astype(np.float32)
