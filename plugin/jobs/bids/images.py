"""A gradient echo from NIfTI files: arrays in SI units in the axes of DICOM, and the way back to its own axes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dicom_io.source.main_field import field_strength_t
from dicom_io.source.vendors.ge import undo_alternation
from plugin.jobs.bids.dataset import Recording, sidecar
from plugin.jobs.bids.phase import in_radians, phase_sign
from plugin.jobs.mask_file import Affine, stated_affine
from recon.errors import InvalidInputError
from recon.types import FloatArray, GradientEcho, Grid

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image

_USUAL_AXES: Final = {"S": "LPS", "I": "LPS", "L": "PIR", "R": "PIR", "A": "LIP", "P": "LIP"}
"""Axes of axial, sagittal and coronal DICOM images, by the axis of the slices: where each of them points."""

_SCANNER: Final = 1
"""Code of a qform or sform in the axes of the scanner, the only ones in which the B0 direction is known."""

_SAME_AFFINE_MM: Final = 1e-2
_LARGEST_SKEW: Final = 1e-3

Volume = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Axes:
    """Axes of NIfTI files, and how they become those of DICOM images: exchanged and reversed, never interpolated.

    Parameters
    ----------
    own, own_shape
        Affine of the files, from voxel to RAS mm, and their number of voxels.
    affine
        The same of the volume in the axes of DICOM images.
    to_dicom, to_own
        Axis and sense of each axis, as ``nibabel.orientations`` writes them.
    in_scanner
        Whether the affine leads to the axes of the scanner, and not of another image or of an atlas.
    """

    own: Affine
    own_shape: tuple[int, ...]
    affine: Affine
    to_dicom: npt.NDArray[np.float64]
    to_own: npt.NDArray[np.float64]
    in_scanner: bool

    def in_dicom_axes(self, volume: Volume) -> Volume:
        """Bring a volume ``(i, j, k)`` of the files to the axes of DICOM images."""
        return _oriented(volume, self.to_dicom)

    def in_own_axes(self, volume: Volume) -> Volume:
        """Bring a volume ``(x, y, z)`` back to the axes of the files."""
        return _oriented(volume, self.to_own)


def read_recording(recording: Recording, dataset: Path, stated_sign: str | None) -> tuple[GradientEcho, Axes]:
    """Read a gradient echo.

    Parameters
    ----------
    stated_sign
        How the phase changes where the field rises, ``"positive"`` or ``"negative"``; None if the sidecars say it.

    Raises
    ------
    InvalidInputError
        A file is missing or damaged, or the physics is not stated: echo time, field strength, sign or scale of the
        phase, B0 direction.
    dicom_io.errors.Refusal
        The field strength is missing or contradictory.
    """
    files = [path for pair in recording.pairs for path in pair]
    images = {path: _open(path) for path in files}
    said = {path: sidecar(path, dataset) for path in files}
    pairs = sorted(recording.pairs, key=lambda pair: _echo_time_s(pair, said))
    axes = _common_axes(images)
    phases = [phase for _, phase in pairs]
    units = {str(said[path]["Units"]) for path in phases if "Units" in said[path]}
    sign = phase_sign(stated_sign, [said[path] for path in phases])
    phase_rad = in_radians(_stack((images[path] for path in phases), axes), units) * np.float32(sign)
    magnitude = _stack((images[path] for path, _ in pairs), axes)
    if not np.isfinite(magnitude).all():
        raise InvalidInputError(f"{recording.stem}: the magnitude holds values that are not numbers; write 0 there")
    undo_alternation(magnitude, phase_rad)  # of GE, which converters leave in
    return GradientEcho(
        magnitude=magnitude,
        phase_rad=phase_rad,
        echo_times_s=tuple(_echo_time_s(pair, said) for pair in pairs),
        b0_tesla=_b0_tesla(said.values()),
        grid=_grid(axes, magnitude.shape[1:], said.values(), recording.stem),
    ), axes


def _open(path: Path) -> Nifti1Image:
    import nibabel

    try:
        image: Nifti1Image = nibabel.load(path)
    except Exception as error:  # whatever a damaged file makes a library raise
        raise InvalidInputError(f"{path.name}: cannot be read as NIfTI: {type(error).__name__}") from error
    if len(image.shape) != 3:
        raise InvalidInputError(
            f"{path.name}: {len(image.shape)} dimensions; expected one volume of one echo in each file"
        )
    return image


def _stack(images: Iterable[Nifti1Image], axes: Axes) -> FloatArray:
    """Read volumes ``(echo, x, y, z)``."""
    try:
        return np.stack([axes.in_dicom_axes(np.asarray(image.dataobj, dtype=np.float32)) for image in images])
    except (OSError, ValueError, EOFError) as error:
        raise InvalidInputError(
            f"The voxels of a file cannot be read: {type(error).__name__}; copy it again"
        ) from error


def _common_axes(images: dict[Path, Nifti1Image]) -> Axes:
    """Return the axes of the files, which must be on one grid and say where the scanner's axes are."""
    from nibabel.orientations import axcodes2ornt, inv_ornt_aff, io_orientation, ornt2axcodes, ornt_transform

    (first, image), *others = images.items()
    own = stated_affine(image, first.name)
    for path, other in others:
        apart_mm = np.abs(stated_affine(other, path.name) - own).max()
        if other.shape != image.shape or apart_mm > _SAME_AFFINE_MM:
            raise InvalidInputError(
                f"{path.name} is on another grid than {first.name}; expected one grid for all echoes"
            )
    found = io_orientation(own)
    usual = axcodes2ornt(_USUAL_AXES[ornt2axcodes(found)[2]])
    to_dicom = ornt_transform(found, usual)
    return Axes(
        own=own,
        own_shape=image.shape,
        affine=own @ inv_ornt_aff(to_dicom, image.shape),
        to_dicom=to_dicom,
        to_own=ornt_transform(usual, found),
        in_scanner=_SCANNER in (int(image.header["qform_code"]), int(image.header["sform_code"])),
    )


def _grid(axes: Axes, shape: tuple[int, ...], sidecars: Iterable[dict[str, Any]], name: str) -> Grid:
    """Geometry in the axes of DICOM images; B0 is along the scanner's z, or as the sidecars state."""
    size_mm = np.linalg.norm(axes.affine[:3, :3], axis=0)
    directions = axes.affine[:3, :3] / size_mm
    skew = np.abs(directions.T @ directions - np.eye(3)).max()
    if skew > _LARGEST_SKEW:
        raise InvalidInputError(f"{name}: the axes are not at right angles (by {skew:.3f}); give images without shear")
    b0 = directions[2] if axes.in_scanner else _stated_b0(axes, sidecars, name)
    b0 = b0 / np.linalg.norm(b0)
    nx, ny, nz = shape
    dx, dy, dz = (round(float(size), 5) for size in size_mm)
    return Grid(shape=(nx, ny, nz), voxel_size_mm=(dx, dy, dz), b0_direction=(float(b0[0]), float(b0[1]), float(b0[2])))


def _stated_b0(axes: Axes, sidecars: Iterable[dict[str, Any]], name: str) -> npt.NDArray[np.float64]:
    """Return the B0 direction that sidecars state in the axes of the files, as qsm-forward writes it."""
    stated = {tuple(one["B0_dir"]) for one in sidecars if isinstance(one.get("B0_dir"), list)}
    if len(stated) != 1 or len(own := np.asarray(stated.pop(), dtype=np.float64)) != 3:
        raise InvalidInputError(
            f"{name}: neither qform nor sform is in the axes of the scanner (code 1), so the B0 direction is not "
            "known; give the images as they were converted from DICOM, not registered to others, or write the "
            "direction in the axes of the files into the sidecars as B0_dir"
        )
    b0 = np.zeros(3)
    b0[axes.to_dicom[:, 0].astype(int)] = own * axes.to_dicom[:, 1]
    return b0


def _echo_time_s(pair: tuple[Path, Path], said: dict[Path, dict[str, Any]]) -> float:
    """Return the echo time of magnitude and phase, which BIDS has in seconds."""
    times = {_number(said[path], "EchoTime") for path in pair}
    time_s = times.pop()
    if time_s is None or times:
        found = "differs between magnitude and phase" if times else "is missing or not a number"
        raise InvalidInputError(f"{pair[1].name}: EchoTime {found}; write it into the sidecars, in seconds")
    return time_s


def _b0_tesla(sidecars: Iterable[dict[str, Any]]) -> float:
    said = {(_number(one, "MagneticFieldStrength"), _number(one, "ImagingFrequency")) for one in sidecars}
    strengths = {field_strength_t(*one) for one in said}
    if len(strengths) > 1:
        found = ", ".join(f"{one:g}" for one in sorted(strengths))
        raise InvalidInputError(f"The sidecars state several field strengths: {found} T; expected one for all echoes")
    return strengths.pop()


def _number(values: dict[str, Any], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _oriented(volume: Volume, orientation: npt.NDArray[np.float64]) -> Volume:
    from nibabel.orientations import apply_orientation

    return np.ascontiguousarray(apply_orientation(volume, orientation))
