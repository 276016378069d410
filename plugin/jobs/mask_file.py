"""A mask that the user provides: ``.npy`` in the axes of the images, or NIfTI in any order and sense of them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from plugin.errors import ConfigurationError
from recon.errors import InvalidInputError

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image

Affine = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_TOLERANCE: Final = 0.25
"""How far voxel centres of mask and images may be apart, in voxels: affines are rounded, each in its own way."""


def check_mask(path: Path) -> None:
    """Raise a ``ConfigurationError`` if a file cannot be read, is not a mask, or is empty."""
    _load(path)


def read_mask(path: Path, shape: tuple[int, ...], affine: Affine) -> Mask:
    """Read a mask from ``.npy``, ``.nii`` or ``.nii.gz`` onto the grid of the images: ``(x, y, z)`` bool.

    An ``.npy`` array has the axes of the images: columns, rows, slices. The axes of a NIfTI file are put in the order
    and sense of the images' by its affine; nothing is interpolated.

    Parameters
    ----------
    shape, affine
        Of the images: columns, rows and slices; from voxel to RAS mm.

    Raises
    ------
    ConfigurationError
        As in ``check_mask``.
    InvalidInputError
        It is on another grid, or does not say on which.
    """
    mask, image = _load(path)
    if image is None:
        if mask.shape != tuple(shape):
            raise InvalidInputError(
                f"{path.name}: the mask has shape {_by(mask.shape)}, the images have {_by(shape)} (columns x rows x "
                "slices); give a mask in the axes of the images"
            )
        return mask
    from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

    own = stated_affine(image, path.name)
    order = io_orientation(np.linalg.solve(affine, own))
    reordered = np.asarray(apply_orientation(mask, order), dtype=np.bool_)
    if found := _differences(reordered.shape, own @ inv_ornt_aff(order, mask.shape), shape, affine):
        raise InvalidInputError(
            f"{path.name}: the mask is not on the grid of the images: {'; '.join(found)}. Resample it to the images, "
            "or draw it on them"
        )
    return reordered


def _load(path: Path) -> tuple[Mask, Nifti1Image | None]:
    """Return the mask as it is stored, and the NIfTI image that it is from."""
    values, image = _read(path)
    if values.ndim != 3 or not np.isin(values, (0, 1)).all():
        raise ConfigurationError(
            f"{path}: not a mask: expected a three-dimensional array of 0 and 1 (or bool), found {values.ndim} "
            f"dimensions of type {values.dtype}"
        )
    if not values.any():
        raise ConfigurationError(f"{path}: the mask is empty; mark the voxels to be reconstructed")
    return values.astype(np.bool_), image


def _read(path: Path) -> tuple[npt.NDArray[Any], Nifti1Image | None]:
    try:
        if path.name.endswith(".npy"):
            return np.asarray(np.load(path, allow_pickle=False)), None
        if path.name.endswith((".nii", ".nii.gz")):
            import nibabel

            image = nibabel.load(path)
            return np.asarray(image.dataobj), image
    except Exception as error:  # whatever a damaged file makes a library raise
        reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise ConfigurationError(f"{path}: cannot be read as a mask: {reason}") from error
    raise ConfigurationError(f"{path}: expected a mask as .npy, .nii or .nii.gz")


def stated_affine(image: Nifti1Image, name: str) -> Affine:
    """Return the affine that sform and qform state, from voxel to RAS mm.

    Raises
    ------
    InvalidInputError
        They differ, are singular, or neither is stated.
    """
    stated = [image.get_sform(coded=True)[0], image.get_qform(coded=True)[0]]
    affines = [np.asarray(one, dtype=np.float64) for one in stated if one is not None]
    if not affines:
        raise InvalidInputError(
            f"{name}: neither sform nor qform is stated (both codes are 0), so the sense of the axes is unknown; write "
            "the affine of the images into the file"
        )
    if any(not np.isfinite(one).all() or abs(np.linalg.det(one)) < np.finfo(np.float32).tiny for one in affines):
        raise InvalidInputError(f"{name}: the affine is singular; write that of the images into the file")
    apart_mm = _apart_mm(affines[0], affines[-1], image.shape[:3])
    if apart_mm > _TOLERANCE * _voxel_size_mm(affines[0]).min():
        raise InvalidInputError(
            f"{name}: sform and qform differ (by up to {apart_mm:.1f} mm), so the place of the voxels is ambiguous; "
            "write the affine of the images into both"
        )
    return affines[0]


def _differences(found: tuple[int, ...], own: Affine, shape: tuple[int, ...], affine: Affine) -> list[str]:
    """Say in what two grids differ; nothing if they are the same within the tolerance."""
    own_mm, size_mm = _voxel_size_mm(own), _voxel_size_mm(affine)
    apart_mm = _apart_mm(own, affine, shape)
    if found == tuple(shape) and apart_mm <= _TOLERANCE * size_mm.min():
        return []
    cosines = (own[:3, :3] / own_mm * (affine[:3, :3] / size_mm)).sum(axis=0)
    angle_degrees = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))).max()
    shift_mm = np.linalg.norm(own[:3, 3] - affine[:3, 3])
    said = {
        f"shape {_by(found)}, expected {_by(shape)}": found != tuple(shape),
        f"voxels of {_by(own_mm)} mm, expected {_by(size_mm)} mm": not np.allclose(own_mm, size_mm, rtol=1e-3),
        f"axes turned by {angle_degrees:.2g} degrees": angle_degrees > 0.1,
        f"first voxel {shift_mm:.1f} mm away": shift_mm > _TOLERANCE * size_mm.min(),
    }
    return [text for text, differs in said.items() if differs] or [f"voxels up to {apart_mm:.1f} mm apart"]


def _apart_mm(one: Affine, other: Affine, shape: tuple[int, ...]) -> float:
    """Largest distance of a voxel's two places, which is at a corner."""
    corners = np.array(list(itertools.product(*((0, count - 1) for count in shape))), dtype=np.float64)
    difference = one - other
    return float(np.linalg.norm(corners @ difference[:3, :3].T + difference[:3, 3], axis=1).max())


def _voxel_size_mm(affine: Affine) -> npt.NDArray[np.float64]:
    return np.asarray(np.linalg.norm(affine[:3, :3], axis=0))


def _by(values: Any) -> str:  # noqa: ANN401 - numbers of any kind
    return " x ".join(f"{value:.4g}" for value in values)
