"""Judge a method by the head of the 2016 QSM challenge, whose susceptibility was measured in twelve directions.

Langkammer et al. 2018, doi:10.1002/mrm.26830: the local field of one direction, and the map that explains all twelve
(COSMOS, Liu et al. 2009, doi:10.1002/mrm.21828). For judging only: nothing is tuned on it. The files are not part of
this project.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plugin.errors import PluginError
from recon.field.reliability import total_field_of
from recon.inversion.methods import find_method
from recon.lab.evaluation import metrics
from recon.lab.evaluation.bands import Band, error_bands
from recon.types import FloatArray, Grid

FIELD, TRUTH, MASK = "phs_tissue.nii.gz", "chi_cosmos.nii.gz", "msk.nii.gz"
_VOXEL_SIZE_MM = (1.0625, 1.0625, 1.0714)
_B0_DIRECTION = (0.0, 0.0, 1.0)
"""The files' headers state neither."""
_NOISE_PPM = 0.002
"""The field's noise is not stated either; methods weigh voxels by it."""


@dataclass(frozen=True, kw_only=True)
class InVivo:
    """How near a method's map of the local field comes to the one of all directions.

    Parameters
    ----------
    method
        Name.
    nrmse_percent, nrmse_detrend_percent, correlation, xsim, hfen_percent
        As in :mod:`recon.lab.evaluation.metrics`, over the mask.
    bands
        Error by wavelength.
    """

    method: str
    nrmse_percent: float
    nrmse_detrend_percent: float
    correlation: float
    xsim: float
    hfen_percent: float
    bands: tuple[Band, ...]


def judge_in_vivo(folder: Path, method: str, engine: str = "auto") -> InVivo:
    """Invert the folder's local field by a key of :data:`recon.options.METHODS` and compare it with its map.

    Raises
    ------
    PluginError
        If one of the three files is missing, or they are of different shapes.
    """
    field, truth, marked = (_read(folder / name) for name in (FIELD, TRUTH, MASK))
    if not field.shape == truth.shape == marked.shape:
        raise PluginError(
            f"the volumes have shapes {field.shape}, {truth.shape} and {marked.shape}; expected one shape"
        )
    if field.ndim != 3 or not (marked > 0.5).any():
        raise PluginError(
            f"shape {field.shape}, {int((marked > 0.5).sum())} voxels in the mask; expected a volume and its brain"
        )
    mask = marked > 0.5
    grid = Grid(shape=field.shape, voxel_size_mm=_VOXEL_SIZE_MM, b0_direction=_B0_DIRECTION)
    total = total_field_of(field, np.full_like(field, _NOISE_PPM), mask, grid)
    chi = np.where(mask, find_method(method)(total, engine).chi_ppm, np.float32(0))
    chi, truth = (np.where(mask, volume - volume[mask].mean(), np.float32(0)) for volume in (chi, truth))
    return InVivo(
        method=method,
        nrmse_percent=metrics.nrmse(chi, truth, mask),
        nrmse_detrend_percent=metrics.nrmse_detrend(chi, truth, mask),
        correlation=metrics.correlation(chi, truth, mask),
        xsim=metrics.xsim(chi, truth, mask),
        hfen_percent=metrics.hfen(chi, truth, mask),
        bands=error_bands(chi, truth, mask, grid),
    )


def _read(path: Path) -> FloatArray:
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    if not path.is_file():
        raise PluginError(f"{path.name} is missing in {path.parent}; expected {FIELD}, {TRUTH} and {MASK}")
    try:
        values = np.ascontiguousarray(nibabel.load(path).dataobj, dtype=np.float32)
    except (ImageFileError, OSError, EOFError) as error:
        raise PluginError(f"{path.name} cannot be read ({error})") from error
    if not np.isfinite(values).all():
        raise PluginError(f"{path.name} holds values that are not numbers")
    return values
