"""Laws that every inversion of this folder keeps, whatever it minimises."""

import functools

import pytest
import torch

from recon.inversion.hd_qsm import hd_qsm
from recon.inversion.ismv import ismv
from recon.inversion.tfi import tfi
from recon.inversion.tgv import tgv
from recon.inversion.tikhonov import tikhonov
from recon.inversion.tkd import tkd
from tests.support.sphere import GRID, sphere_field

NOISE = torch.full(GRID.shape, 0.001)
QUICK_TFI = functools.partial(tfi, reweightings=2, most_iterations=20)
INVERSIONS = {
    "tikhonov": lambda field, mask: tikhonov(field, GRID, 0.008) * mask,
    "tkd": lambda field, mask: tkd(field, mask, GRID),
    "tv": lambda field, mask: hd_qsm(field, mask, NOISE, GRID, robust_iterations=0),
    "hd-qsm": lambda field, mask: hd_qsm(field, mask, NOISE, GRID),
    "tfi": lambda field, mask: QUICK_TFI(field, mask, NOISE, GRID),
    "tgv": lambda field, mask: tgv(field, mask, GRID, most_iterations=40),
    "ismv": lambda field, mask: ismv(field, mask, GRID),
}
LINEAR = ("tikhonov", "tkd")


@pytest.fixture(params=list(INVERSIONS))
def invert(request):
    return INVERSIONS[request.param]


@pytest.fixture(scope="module")
def scene():
    return sphere_field()


def test_a_field_of_zero_gives_a_map_of_zero(invert, scene):
    assert not invert(torch.zeros(GRID.shape), scene.mask).any()


def test_the_map_is_finite_and_zero_outside_the_mask(invert, scene):
    made = invert(scene.local_ppm + scene.background_ppm, scene.mask)
    assert made.dtype == torch.float32
    assert made.shape == GRID.shape
    assert torch.isfinite(made).all()
    assert made[scene.mask].any()
    assert not made[~scene.mask].any()


def test_the_same_field_gives_the_same_map(invert, scene):
    assert torch.equal(invert(scene.local_ppm, scene.mask), invert(scene.local_ppm, scene.mask))


def test_the_opposite_field_gives_the_opposite_map(invert, scene):
    torch.testing.assert_close(
        invert(-scene.local_ppm, scene.mask), -invert(scene.local_ppm, scene.mask), rtol=1e-3, atol=1e-5
    )


def test_the_field_handed_in_is_left_alone(invert, scene):
    field = scene.local_ppm.clone()
    invert(field, scene.mask)
    assert torch.equal(field, scene.local_ppm)


@pytest.mark.parametrize("name", LINEAR)
def test_closed_forms_are_linear(name, scene):
    invert, mask = INVERSIONS[name], scene.mask
    both = invert(2.0 * scene.local_ppm - 0.5 * scene.background_ppm, mask)
    apart = 2.0 * invert(scene.local_ppm, mask) - 0.5 * invert(scene.background_ppm, mask)
    torch.testing.assert_close(both, apart, rtol=1e-3, atol=1e-4)
