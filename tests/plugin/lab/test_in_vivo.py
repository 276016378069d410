"""The in vivo judge, on a small made head in the challenge's files."""

import nibabel
import numpy as np
import pytest
import torch
from scipy import ndimage

from plugin.errors import PluginError
from plugin.lab.in_vivo import FIELD, MASK, TRUTH, judge_in_vivo
from recon.operators.dipole import dipole_field
from recon.types import Grid

SHAPE = (44, 52, 40)


@pytest.fixture
def folder(tmp_path):
    chi = ndimage.gaussian_filter(np.random.default_rng(3).standard_normal(SHAPE), 2).astype(np.float32)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in SHAPE), indexing="ij")
    mask = x**2 + y**2 + z**2 < 0.8
    chi = np.where(mask, 0.05 * chi / chi.std(), 0).astype(np.float32)
    grid = Grid(shape=SHAPE, voxel_size_mm=(1.0625, 1.0625, 1.0714), b0_direction=(0.0, 0.0, 1.0))
    field = dipole_field(torch.from_numpy(chi), grid).numpy() * mask
    for name, volume in ((FIELD, field), (TRUTH, chi), (MASK, mask)):
        nibabel.save(nibabel.Nifti1Image(volume.astype(np.float32), np.eye(4)), tmp_path / name)
    return tmp_path


def test_a_field_gives_most_of_its_map_back(folder):
    found = judge_in_vivo(folder, "tikhonov")
    assert found.nrmse_percent < 75
    assert found.correlation > 0.7
    assert sum(band.error_percent**2 for band in found.bands[:-2]) == pytest.approx(found.nrmse_percent**2, rel=1e-3)


def test_what_is_missing_is_named(folder):
    (folder / TRUTH).unlink()
    with pytest.raises(PluginError, match=r"chi_cosmos\.nii\.gz is missing"):
        judge_in_vivo(folder, "tikhonov")
