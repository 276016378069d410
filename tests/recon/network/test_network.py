"""The network, its inputs and its weights."""

import hashlib

import pytest
import torch

from recon.errors import WeightsError
from recon.network.features import CHANNELS, START_CHANNEL, pad_to_stride, start_map
from recon.network.model import ModelConfig, TotalFieldNetwork
from recon.network.weights import check_finite, load_weights, save_weights
from recon.types import Grid
from tests.support.network_input import features_of

GRID = Grid(shape=(40, 36, 24), voxel_size_mm=(1.5, 1.6, 2.5), b0_direction=(0.0, 0.6, 0.8))
SMALL = ModelConfig(inputs=len(CHANNELS), widths=(8, 12), head_width=4)


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = TotalFieldNetwork(SMALL)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return made.eval().requires_grad_(False)


def some_field(seed=0):
    generator = torch.Generator().manual_seed(seed)
    x, y, z = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in GRID.shape), indexing="ij")
    mask = x**2 + y**2 + z**2 < 0.8
    return torch.randn(GRID.shape, generator=generator) * 0.05 * mask, mask


def test_features_are_linear_in_the_field_apart_from_mask_and_noise():
    a, mask = some_field(1)
    b, _ = some_field(2)
    noise = torch.full(GRID.shape, 0.002)
    fa, fb, fsum = (features_of(f, mask, noise, GRID) for f in (a, b, a - 3 * b))
    linear = [i for i, name in enumerate(CHANNELS) if name not in ("mask", "field noise")]
    torch.testing.assert_close(fsum[linear], fa[linear] - 3 * fb[linear], atol=2e-3, rtol=1e-3)


def test_a_constant_added_to_the_field_changes_nothing():
    field, mask = some_field()
    noise = torch.zeros(GRID.shape)
    plain = features_of(field, mask, noise, GRID)
    torch.testing.assert_close(features_of(field + 0.7, mask, noise, GRID), plain, atol=2e-4, rtol=1e-3)


def test_features_are_zero_outside_the_mask():
    field, mask = some_field()
    features = features_of(field, mask, torch.ones(GRID.shape), GRID)
    assert features.shape == (len(CHANNELS), *GRID.shape)
    assert not features[:, ~mask].any()


def test_a_new_network_returns_the_closed_form_map():
    fresh = TotalFieldNetwork(SMALL)
    features = torch.randn(1, len(CHANNELS), 16, 8, 12)
    correction = fresh(features)
    assert not correction.any()
    torch.testing.assert_close(correction + start_map(features), features[:, START_CHANNEL : START_CHANNEL + 1])


def test_stride_covers_any_shape(network):
    shape = pad_to_stride((17, 9, 5), SMALL.stride)
    assert network(torch.zeros(1, len(CHANNELS), *shape)).shape == (1, 1, *shape)


def test_weights_round_trip_in_half_precision(network, tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(network, path)
    loaded = load_weights(path)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.network.config == SMALL
    for name, value in network.state_dict().items():
        torch.testing.assert_close(loaded.network.state_dict()[name], value.half().float())


@pytest.mark.parametrize("damage", ["missing", "truncated", "other"])
def test_damaged_weights_are_refused_with_a_reason(network, tmp_path, damage):
    path = tmp_path / f"{damage}.safetensors"
    if damage == "truncated":
        save_weights(network, path)
        path.write_bytes(path.read_bytes()[:-100])
    if damage == "other":
        from safetensors.torch import save_file

        save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(WeightsError):
        load_weights(path)


def test_weights_that_are_not_numbers_are_refused(network):
    network.last.bias.fill_(float("nan"))
    with pytest.raises(WeightsError, match=r"last\.bias"):
        check_finite(network)


def test_shipped_weights_are_finite_and_belong_to_this_network():
    shipped = load_weights()
    check_finite(shipped.network)
    assert shipped.network.config.inputs == len(CHANNELS)
    assert shipped.path.stat().st_size < 12 * 2**20
