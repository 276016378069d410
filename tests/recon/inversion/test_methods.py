import numpy as np
import pytest
import torch
from scipy import ndimage

from recon.errors import InvalidInputError
from recon.field.reliability import total_field_of
from recon.inversion.methods import find_method
from recon.options import METHODS
from tests.support.sphere import GRID, sphere_field

ITERATIVE = sorted(set(METHODS) - {"network"})


@pytest.fixture(scope="module")
def scene():
    return sphere_field()


@pytest.fixture(scope="module")
def total(scene):
    mask = scene.mask.numpy()
    field = (scene.local_ppm + scene.background_ppm).numpy() + np.float32(0.7)
    return total_field_of(field, np.full(GRID.shape, 0.001, np.float32), mask, GRID)


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


def test_what_stands_in_a_dropout_at_the_surface_spreads_nowhere(total, scene):
    shell = scene.mask.numpy() & ~ndimage.binary_erosion(scene.mask.numpy())
    cap = shell & (np.indices(GRID.shape)[2] > 0.7 * GRID.shape[2])
    noise = np.where(cap, np.float32(0.1), total.noise_ppm)
    maps = [
        find_method("lbv-hd-qsm")(
            total_field_of(np.where(cap, np.float32(guess), total.field_ppm), noise, total.mask, GRID), ""
        ).chi_ppm
        for guess in (0.0, 3.0)
    ]
    assert cap.sum() > 20
    np.testing.assert_array_equal(*maps)
    assert not maps[0][cap].any()
