"""A mask that the user provides: ``.npy`` or NIfTI, in the axes of the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plugin.errors import ConfigurationError
from recon.errors import InvalidInputError


def read_mask(path: Path, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.bool_]:
    """Read a mask.

    Parameters
    ----------
    path
        ``.npy``, ``.nii`` or ``.nii.gz``. The array is taken as it is stored, ``(x, y, z)`` along columns, rows and
        slices of the images; a NIfTI file's affine is not used.
    shape
        Of the acquisition, if it is known.

    Returns
    -------
    ndarray
        ``(x, y, z)`` bool.

    Raises
    ------
    ConfigurationError
        The file cannot be read, is not a mask, or is empty.
    InvalidInputError
        It does not fit the acquisition.
    """
    found = _read(path)
    if found.ndim != 3 or not np.isin(found, (0, 1)).all():
        raise ConfigurationError(
            f"{path}: not a mask: expected a three-dimensional array of 0 and 1 (or bool), found {found.ndim} "
            f"dimensions of type {found.dtype}"
        )
    if shape is not None and found.shape != tuple(shape):
        raise InvalidInputError(
            f"{path.name}: the mask has shape {' x '.join(map(str, found.shape))}, the images have "
            f"{' x '.join(map(str, shape))} (columns x rows x slices); give a mask in the axes of the images"
        )
    if not found.any():
        raise ConfigurationError(f"{path}: the mask is empty; mark the voxels to be reconstructed")
    return found.astype(np.bool_)


def _read(path: Path) -> npt.NDArray[Any]:
    try:
        if path.name.endswith(".npy"):
            return np.asarray(np.load(path, allow_pickle=False))
        if path.name.endswith((".nii", ".nii.gz")):
            import nibabel

            return np.asarray(nibabel.load(path).dataobj)
    except Exception as error:  # whatever a damaged file makes a library raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise ConfigurationError(f"{path}: cannot be read as a mask: {reason}") from error
    raise ConfigurationError(f"{path}: expected a mask as .npy, .nii or .nii.gz")
