"""Tiles: the same result as the whole volume, voxel by voxel."""

import pytest
import torch

from recon.engines.tiles import reach_voxels, run_in_tiles
from recon.errors import EngineError
from recon.network.model import ModelConfig


def test_tiles_give_what_the_whole_volume_gives(trained):
    config = trained.network.config
    features = torch.randn(1, config.inputs, 20, 12, 92, generator=torch.Generator().manual_seed(1))
    largest = (20, 16, 2 * reach_voxels(config) + 8)
    sizes = []

    def run(tile):
        sizes.append(tuple(tile.shape[2:]))
        with torch.inference_mode():
            return trained.network(tile)

    output, count = run_in_tiles(run, features, largest, config)
    assert count == len(sizes) > 1
    assert all(n <= most for size in sizes for n, most in zip(size, largest, strict=True))
    with torch.inference_mode():
        torch.testing.assert_close(output, trained.network(features), rtol=0, atol=2e-6)


def test_the_network_looks_no_farther_than_is_said(trained):
    config = trained.network.config
    middle, size = 48, 96
    features = torch.randn(1, config.inputs, 4, 4, size, generator=torch.Generator().manual_seed(2))
    changed = features.clone()
    changed[..., : middle - reach_voxels(config)] += 10.0
    with torch.inference_mode():
        before, after = trained.network(features), trained.network(changed)
    torch.testing.assert_close(before[..., middle:], after[..., middle:], rtol=0, atol=1e-6)
    assert float((before - after)[..., : middle - reach_voxels(config) + 12].abs().max()) > 1e-3


def test_the_shipped_network_fits_the_profile():
    assert 2 * reach_voxels(ModelConfig()) < 384


def test_too_small_tiles_are_refused(trained):
    features = torch.zeros(1, trained.network.config.inputs, 8, 8, 64)
    with pytest.raises(EngineError, match="tiles need"):
        run_in_tiles(lambda tile: tile, features, (8, 8, 16), trained.network.config)


def test_a_volume_that_the_engine_takes_is_one_tile(trained):
    config, features = trained.network.config, torch.ones(1, trained.network.config.inputs, 16, 32, 16)
    output, count = run_in_tiles(lambda tile: tile[:, :1], features, (16, 32, 16), config)
    assert count == 1
    assert torch.equal(output, features[:, :1])
