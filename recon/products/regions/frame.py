"""The head in upright axes: what is registered, on a 2 mm lattice along right, anterior and superior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from recon.errors import InvalidInputError
from recon.products.contrasts.magnitude import weighted_magnitude
from recon.products.regions.atlas import STEP_MM, lattice_mm, signed_distance
from recon.types import BoolArray, FloatArray, GradientEcho, Grid, Reconstruction

Affine = npt.NDArray[np.float64]
_MARGIN_MM = 12.0
_CHI_LIMIT_PPM = 0.3
_STRANGE_CHI_PPM = 0.27
_MAGNITUDE_LIMIT = 2.0


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A head on an upright lattice.

    Parameters
    ----------
    features
        ``(2, x, y, z)`` float32: susceptibility in ppm and combined magnitude, cut off where only veins, bleeds and
        calcifications reach; zero outside the mask.
    mask
        ``(x, y, z)`` bool, brain without what is far from tissue.
    distance_mm
        ``(x, y, z)`` float32, signed distance to the brain's surface.
    origin_mm
        Position of the first lattice point in RAS mm of the image.
    affine
        ``(4, 4)`` from voxel of the image to RAS mm.
    """

    features: FloatArray
    mask: BoolArray
    distance_mm: FloatArray
    origin_mm: tuple[float, float, float]
    affine: Affine


def axial_affine(grid: Grid) -> Affine:
    """Return the affine of an axial acquisition of a patient on the back: x to the left, y to the back.

    Raises
    ------
    InvalidInputError
        If the slices are not axial: which way the patient's left is cannot be told from B0 alone.
    """
    b = np.asarray(grid.b0_direction, np.float64)
    if b[2] < 0.7:
        raise InvalidInputError(
            f"B0 runs along {grid.b0_direction} of the volume: the regional report of slices that are not axial needs "
            "the patient orientation; hand in the affine"
        )
    left = np.array([1.0, 0.0, 0.0]) - b[0] * b
    left /= np.linalg.norm(left)
    back = np.cross(b, left)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([-left, -back, b]) * np.asarray(grid.voxel_size_mm)
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(grid.shape) - 1) / 2)
    return affine


def upright(echoes: GradientEcho, reconstruction: Reconstruction, affine: Affine) -> Frame:
    """Resample map, magnitude and mask to the upright lattice.

    Parameters
    ----------
    echoes, reconstruction
        The acquisition and its map.
    affine
        ``(4, 4)`` from voxel to RAS mm.
    """
    mask = reconstruction.susceptibility.mask
    corners = affine[:3, :3] @ np.argwhere(mask).T[:, :: max(1, int(mask.sum()) // 100_000)] + affine[:3, 3:]
    low = corners.min(axis=1) - _MARGIN_MM
    shape = tuple(int(n) for n in np.ceil((corners.max(axis=1) + _MARGIN_MM - low) / STEP_MM) + 1)
    origin = (float(low[0]), float(low[1]), float(low[2]))
    inverse = np.linalg.inv(affine)
    points = lattice_mm(shape, origin)
    voxels = np.einsum("ij,jxyz->ixyz", inverse[:3, :3], points) + inverse[:3, 3][:, None, None, None]
    width = [STEP_MM / s / 2.355 if s < STEP_MM else 0.0 for s in echoes.grid.voxel_size_mm]

    def sampled(volume: FloatArray) -> FloatArray:
        weight = ndimage.gaussian_filter(mask.astype(np.float32), width)
        smooth = ndimage.gaussian_filter(np.where(mask, volume, np.float32(0)), width)
        found = ndimage.map_coordinates(smooth, voxels, order=1, output=np.float32)
        share = ndimage.map_coordinates(weight, voxels, order=1, output=np.float32)
        return np.where(share > 0.5, found / np.maximum(share, np.float32(0.5)), np.float32(0))

    chi = np.clip(reconstruction.susceptibility.chi_ppm, -_CHI_LIMIT_PPM, _CHI_LIMIT_PPM)
    magnitude = np.clip(weighted_magnitude(echoes), 0, _MAGNITUDE_LIMIT)
    inside = ndimage.map_coordinates(mask.astype(np.float32), voxels, order=1) > 0.5
    features = np.stack([sampled(chi), sampled(magnitude)])
    # Bleeds, calcifications and great veins say nothing about where a nucleus is.
    strange = ndimage.binary_dilation(np.abs(features[0]) > _STRANGE_CHI_PPM, iterations=2)
    return Frame(
        features=features,
        mask=inside & ~strange,
        distance_mm=signed_distance(inside),
        origin_mm=origin,
        affine=affine,
    )
