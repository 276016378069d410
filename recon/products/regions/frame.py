"""The head in upright axes: what is registered, on a 2 mm lattice along right, anterior and superior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from recon.products.contrasts.magnitude import weighted_magnitude
from recon.products.regions.atlas import STEP_MM, lattice_mm, signed_distance
from recon.products.regions.constants import REGIONS
from recon.types import BoolArray, FloatArray, GradientEcho, Reconstruction

Affine = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A head on an upright lattice.

    Parameters
    ----------
    features
        ``(2, x, y, z)`` float32: susceptibility in ppm and combined magnitude, cut off where only veins, bleeds and
        calcifications reach; zero outside the mask.
    mask
        ``(x, y, z)`` bool, brain without veins, bleeds and calcifications.
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
    brain = affine[:3, :3] @ np.argwhere(mask).T + affine[:3, 3:]
    low, high = brain.min(axis=1) - REGIONS.margin_mm, brain.max(axis=1) + REGIONS.margin_mm
    origin = (float(low[0]), float(low[1]), float(low[2]))
    points = lattice_mm(tuple(int(n) for n in np.ceil((high - low) / STEP_MM) + 1), origin)
    inverse = np.linalg.inv(affine)
    voxels = np.einsum("ij,jxyz->ixyz", inverse[:3, :3], points) + inverse[:3, 3][:, None, None, None]
    width = [STEP_MM / s / 2.355 if s < STEP_MM else 0.0 for s in echoes.grid.voxel_size_mm]

    def sampled(volume: FloatArray) -> FloatArray:
        smooth = ndimage.gaussian_filter(volume, width)
        return np.asarray(ndimage.map_coordinates(smooth, voxels, order=1, output=np.float32))

    chi = np.clip(reconstruction.susceptibility.chi_ppm, -REGIONS.chi_limit_ppm, REGIONS.chi_limit_ppm)
    magnitude = np.clip(weighted_magnitude(echoes), 0, REGIONS.magnitude_limit)
    share = sampled(mask.astype(np.float32))
    features = np.stack([sampled(np.where(mask, v, np.float32(0))) for v in (chi, magnitude)])
    features = np.where(share > 0.5, features / np.maximum(share, np.float32(0.5)), np.float32(0))
    inside = ndimage.map_coordinates(mask.astype(np.float32), voxels, order=1) > 0.5
    strange = ndimage.binary_dilation(np.abs(features[0]) > REGIONS.vessel_chi_ppm, iterations=2)
    return Frame(
        features=features,
        mask=inside & ~strange,
        distance_mm=signed_distance(inside),
        origin_mm=origin,
        affine=affine,
    )
