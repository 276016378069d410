"""The phase mask of SWI from the local field, the same for veins of every direction.

A phase mask darkens what raises the field. Taken from the field itself it fails for veins across B0: inside them the
field is lowered, and it is raised in lobes beside them. Here the local field is first correlated with the dipole
kernel (the filter matched to the field of a point source). What it then holds is ``D² χ``: paramagnetic sources are
positive inside, whatever their direction, diamagnetic ones negative, and nothing is divided by the kernel, so that
noise is not amplified. A high-pass filter keeps veins and bleeds and drops the nuclei's bodies, as usual in SWI.
"""

from __future__ import annotations

import numpy as np
import torch

from recon.operators.boxes import crop_grid, mask_box
from recon.operators.dipole import dipole_field
from recon.operators.lbv import harmonic_local_field
from recon.products.contrasts.constants import CONTRAST
from recon.products.contrasts.magnitude import smooth
from recon.types import FloatArray, TotalField


def matched_field(total: TotalField) -> FloatArray:
    """Return the local field seen through the dipole kernel, ``(x, y, z)`` float32 in ppm; zero outside the mask."""
    box = mask_box(total.mask, margin=2)
    grid = crop_grid(total.grid, box)
    mask = np.ascontiguousarray(total.mask[box])
    local = harmonic_local_field(np.ascontiguousarray(total.field_ppm[box]), mask, grid)
    # The kernel is at most 1/3 where the field is raised: times 3 a long vein along B0 keeps its field.
    seen = 3 * dipole_field(torch.from_numpy(local), grid, padding=1.3).numpy() * mask
    share = smooth(mask.astype(np.float32), grid, CONTRAST.high_pass_mm)
    result: FloatArray = np.zeros(total.mask.shape, np.float32)
    result[box] = (seen - smooth(seen, grid, CONTRAST.high_pass_mm) / np.maximum(share, np.float32(0.1))) * mask
    return result


def phase_mask(total: TotalField) -> tuple[FloatArray, float]:
    """Return the mask, ``(x, y, z)`` float32 from 0 to 1 and 1 outside the brain, and its scale in ppm.

    It is ``1 - tanh((f / scale)²)`` for a matched field ``f`` above zero, else 1; the scale grows with the noise.
    """
    field = np.maximum(matched_field(total), np.float32(0))
    scale = max(CONTRAST.phase_scale_ppm, CONTRAST.phase_noise_factor * float(np.median(total.noise_ppm[total.mask])))
    reliability = 1 / (1 + (total.noise_ppm / np.float32(CONTRAST.doubtful_noise_ppm)) ** 2)
    return np.asarray(1 - reliability * np.tanh((field / np.float32(scale)) ** 2), np.float32), scale
