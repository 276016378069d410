"""What the template looks like to a gradient echo: tissue shares and nuclei in MNI space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from recon.products.regions.constants import REGIONS
from recon.products.regions.mni152 import load_map
from recon.products.regions.nuclei import NUCLEI, Nucleus
from recon.types import FloatArray

STEP_MM = 2.0
SIDES = ((1, "right"), (-1, "left"))


@dataclass(frozen=True, kw_only=True)
class Atlas:
    """The template every 2 mm, axes right, anterior, superior.

    Parameters
    ----------
    channels
        ``(channel, x, y, z)`` float32: shares of white matter, grey matter and fluid, then of each nucleus, both
        sides together; they add up to 1 inside the brain.
    base
        ``(3, x, y, z)`` float32: shares of white matter, grey matter and fluid as if there were no nuclei.
    distance_mm
        ``(x, y, z)`` float32, signed distance to the brain's surface, negative inside, cut off at 20 mm.
    origin_mm
        MNI position of the first voxel.
    """

    channels: FloatArray
    base: FloatArray
    distance_mm: FloatArray
    origin_mm: tuple[float, float, float]


@cache
def load_atlas() -> Atlas:
    """Build the atlas from the template's maps and the nuclei's places."""
    grey, affine = load_map("gm")
    white, _ = load_map("wm")
    t1, _ = load_map("t1")
    brain = np.asarray(ndimage.binary_fill_holes(ndimage.binary_closing(t1 > 0, iterations=4)))
    tissue = [ndimage.gaussian_filter(m / 255.0, 0.8)[::2, ::2, ::2] for m in (white, grey)]
    origin = (float(affine[0, 3]), float(affine[1, 3]), float(affine[2, 3]))
    inside = ndimage.gaussian_filter(brain.astype(np.float32), 0.8)[::2, ::2, ::2]
    points = lattice_mm(inside.shape, origin)
    nuclei = [np.maximum(*(ellipsoid_share(n, sign, points) for sign, _ in SIDES)) for n in NUCLEI]
    free = np.maximum(1 - sum(nuclei), 0)
    total = np.maximum(tissue[0] + tissue[1], 1)
    white_share, grey_share = (inside * t / total for t in tissue)
    base = np.stack([white_share, grey_share, np.maximum(inside - white_share - grey_share, 0)])
    return Atlas(
        channels=np.concatenate([free * base, np.stack(nuclei)]).astype(np.float32),
        base=base.astype(np.float32),
        distance_mm=signed_distance(inside > 0.5),
        origin_mm=origin,
    )


def lattice_mm(shape: tuple[int, ...], origin_mm: tuple[float, float, float]) -> FloatArray:
    """Return the positions of a 2 mm lattice, ``(3, x, y, z)`` float32."""
    axes = [o + STEP_MM * np.arange(n, dtype=np.float32) for o, n in zip(origin_mm, shape, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij")).astype(np.float32)


def ellipsoid_share(
    nucleus: Nucleus,
    sign: int,
    points_mm: npt.NDArray[np.floating],
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    scale: float = 1.0,
) -> FloatArray:
    """Return how far points lie inside a nucleus: 1 inside, 0 outside, an edge of 2 mm between.

    Parameters
    ----------
    nucleus
        Ellipsoid in MNI space.
    sign
        1 for the right side, -1 for the left.
    points_mm
        ``(3, ...)`` MNI positions.
    shift_mm, scale
        Moves and enlarges the ellipsoid.
    """
    x, y, z = nucleus.centre_mm
    centre = (sign * x + shift_mm[0], y + shift_mm[1], z + shift_mm[2])
    dx, dy, dz = (points_mm[i] - np.float32(centre[i]) for i in range(3))
    yaw = np.radians(sign * nucleus.yaw_deg)
    c, s = np.float32(np.cos(yaw)), np.float32(np.sin(yaw))
    a, b, h = (np.float32(r * scale) for r in nucleus.radius_mm)
    depth = np.sqrt(((c * dx + s * dy) / a) ** 2 + ((c * dy - s * dx) / b) ** 2 + (dz / h) ** 2)
    size = np.float32((a * b * h) ** (1 / 3))
    share = np.clip((1 - depth) * size / np.float32(2 * REGIONS.edge_mm) + np.float32(0.5), 0, 1)
    return np.asarray(share, np.float32)


def signed_distance(brain: npt.NDArray[np.bool_]) -> FloatArray:
    """Return the signed distance to the surface of a mask on a 2 mm lattice, in mm, cut off at 20 mm."""
    signed = ndimage.distance_transform_edt(~brain) - ndimage.distance_transform_edt(brain)
    return np.clip(STEP_MM * signed, -REGIONS.distance_limit_mm, REGIONS.distance_limit_mm).astype(np.float32)
