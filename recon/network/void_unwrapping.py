"""Phase in voids, used after all where a first map explains it up to whole turns.

Signal is weak inside a bleed, and the unwrapped phase is often a turn off there; such voxels are not used for a first
map. That map, held to the field around the void, predicts the field inside to within a fraction of a turn, and with it
which turn is the right one: a guess becomes a measurement, where it matters most.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from recon.inversion.tikhonov import padded_shape
from recon.network.consistency import FieldData
from recon.network.constants import NETWORK
from recon.network.features import FieldTensors
from recon.operators.dipole import convolve
from recon.operators.lbv_gpu import local_field
from recon.types import Grid


@dataclass(frozen=True, kw_only=True)
class Voids:
    """A field in whose voids the right turn was chosen.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32 total field.
    regained
        ``(x, y, z)`` bool: voxels that were doubted and are used after all; none if they are too few to matter.
    turned_voxels
        How many of them were moved by whole turns.
    """

    field_ppm: torch.Tensor
    regained: torch.Tensor
    turned_voxels: int


def unwrap_voids(chi_ppm: torch.Tensor, data: FieldData, measured: FieldTensors, *, usable_ppm: torch.Tensor) -> Voids:
    """Return the field with its voids at the turn that a map suggests.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32 map, held to the reliable part of the field.
    data
        The field that the map was held to.
    measured
        The total field.
    usable_ppm
        ``(x, y, z)`` float32 usable field as the data's local field was made from it: relative to its mean.
    """
    turn = measured.ppm_per_2pi
    if turn is None:
        return _as_they_are(measured)
    doubted = data.mask & ~data.reliable & (measured.noise_ppm < NETWORK.most_noise_turns * turn)
    if _is_little(doubted, measured.grid):
        return _as_they_are(measured)
    of_map = convolve(chi_ppm, data.kernel, padded_shape(data.grid))
    around = local_field(torch.where(data.mask, data.field_ppm - of_map, 0.0), data.region, data.grid, data.sweeps)
    hidden = measured.field_ppm - usable_ppm  # zero but for a constant where the field is reliable
    left = around + hidden - hidden[data.reliable].median()
    turned = torch.round(left / turn) * turn
    regained = doubted & (around != 0) & ((left - turned).abs() < NETWORK.most_left_turns * turn)
    if _is_little(regained, measured.grid):
        return _as_they_are(measured)
    return Voids(
        field_ppm=torch.where(regained, measured.field_ppm - turned, measured.field_ppm),
        regained=regained,
        turned_voxels=int((regained & (turned != 0)).sum()),
    )


def _is_little(voxels: torch.Tensor, grid: Grid) -> bool:
    return float(voxels.sum()) * grid.voxel_volume_mm3 < NETWORK.least_void_mm3


def _as_they_are(measured: FieldTensors) -> Voids:
    return Voids(field_ppm=measured.field_ppm, regained=torch.zeros_like(measured.mask), turned_voxels=0)
