import numpy as np
import pytest
import torch

from recon.errors import InvalidInputError
from recon.methods import METHODS, find_method
from recon.types import TotalField
from tests.support.sphere import GRID, sphere_field

ITERATIVE = sorted(set(METHODS) - {"network"})


@pytest.fixture(scope="module")
def scene():
    return sphere_field()


@pytest.fixture(scope="module")
def total(scene):
    mask = scene.mask.numpy()
    field = (scene.local_ppm + scene.background_ppm).numpy()
    return TotalField(
        field_ppm=np.where(mask, field + np.float32(0.7), np.float32(0)),
        mask=mask,
        quality=mask.astype(np.float32),
        noise_ppm=np.where(mask, np.float32(0.001), np.float32(0)),
        grid=GRID,
    )


@pytest.mark.parametrize("name", ITERATIVE)
def test_every_published_method_maps_the_sphere_and_says_how(name, total, scene):
    made = find_method(name)(total, "auto")
    chi = torch.from_numpy(made.chi_ppm)
    assert chi.shape == GRID.shape
    assert chi.dtype == torch.float32
    assert torch.isfinite(chi).all()
    assert not chi[~scene.mask].any()
    inside = torch.stack([chi[scene.mask], scene.chi_ppm[scene.mask]])
    assert torch.corrcoef(inside)[0, 1] > 0.7
    assert all(reference.startswith("doi:10.") for reference in made.references)
    assert made.parameters
    assert not made.engine


def test_an_unknown_method_is_refused_with_those_there_are():
    with pytest.raises(InvalidInputError, match=r"no inversion method 'medi': expected one of network, "):
        find_method("medi")
