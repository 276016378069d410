"""The anatomical template: MNI152 tissue maps and the distance to the brain's surface, in MNI space.

The maps are nilearn's copy of the MNI152 2009a symmetric template (Fonov 2011, doi:10.1016/j.neuroimage.2010.07.033).
They hold the brain only; skull, scalp and neck are built around it from the distance to its surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from scipy import ndimage

from recon.products.regions.mni152 import load_map

_MARGIN_MM = 40
"""How far the distance map reaches beyond the template's box; farther points take the value at its rim."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """Tissue probabilities and brain distance on 1 mm (maps) and 2 mm (distance) lattices, RAS axes.

    Parameters
    ----------
    tissue
        ``(2, z, y, x)`` float32: grey and white matter probability.
    tissue_origin_mm
        MNI position of the first voxel centre (x, y, z).
    distance_mm
        ``(1, z, y, x)`` float32: signed distance to the brain's surface, negative inside, every 2 mm.
    distance_origin_mm
        MNI position of its first voxel centre.
    """

    tissue: torch.Tensor
    tissue_origin_mm: tuple[float, float, float]
    distance_mm: torch.Tensor
    distance_origin_mm: tuple[float, float, float]


@cache
def load_template() -> Template:
    """Load the maps that nilearn ships and derive the distance to the brain's surface."""
    grey, affine = load_map("gm")
    white, _ = load_map("wm")
    t1, _ = load_map("t1")
    origin = (float(affine[0, 3]), float(affine[1, 3]), float(affine[2, 3]))
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(t1 > 0, iterations=4))
    distance = _signed_distance_2mm(np.asarray(brain))
    tissue = np.stack([grey, white]).transpose(0, 3, 2, 1) / 255.0
    distance_origin = (origin[0] - _MARGIN_MM, origin[1] - _MARGIN_MM, origin[2] - _MARGIN_MM)
    return Template(
        tissue=torch.from_numpy(np.ascontiguousarray(tissue, dtype=np.float32)),
        tissue_origin_mm=origin,
        distance_mm=torch.from_numpy(np.ascontiguousarray(distance.transpose(2, 1, 0)))[None],
        distance_origin_mm=distance_origin,
    )


def _signed_distance_2mm(brain: np.ndarray) -> np.ndarray:
    """Return the signed distance to the surface of ``brain`` (1 mm), sampled every 2 mm, with a margin."""
    padded = np.pad(brain, _MARGIN_MM)[::2, ::2, ::2]
    inside = ndimage.distance_transform_edt(padded)
    outside = ndimage.distance_transform_edt(~padded)
    signed = 2.0 * (np.asarray(outside) - np.asarray(inside))
    # The lattice's steps would show as terraces of the skull.
    return np.asarray(ndimage.gaussian_filter(signed, 0.9), dtype=np.float32)


def sample(
    volume: torch.Tensor, origin_mm: tuple[float, float, float], step_mm: float, points_mm: torch.Tensor
) -> torch.Tensor:
    """Interpolate template volumes linearly at points.

    Parameters
    ----------
    volume
        ``(channel, z, y, x)``.
    origin_mm
        Position of the first voxel centre (x, y, z).
    step_mm
        Lattice spacing.
    points_mm
        ``(..., 3)`` positions x, y, z.

    Returns
    -------
    torch.Tensor
        ``(channel, ...)``; beyond the lattice the value at its rim.
    """
    size, origin = (torch.tensor(v, dtype=torch.float32) for v in (volume.shape[:0:-1], origin_mm))
    unit = (points_mm - origin) / step_mm * (2.0 / (size - 1.0)) - 1.0
    flat = unit.reshape(1, 1, 1, -1, 3)
    values = torch.nn.functional.grid_sample(volume[None], flat, padding_mode="border", align_corners=True)
    return values.reshape(volume.shape[0], *points_mm.shape[:-1])
