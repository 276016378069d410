"""Finite sampling: what is kept, what is lost, and where the ringing lies."""

import math
from dataclasses import replace

import pytest
import torch

from recon.lab.simulation.draw.effect_plans import KSpacePlan
from recon.lab.simulation.effects.kspace import acquired, acquired_noise, line_weights, truncated

FULL = KSpacePlan(acquired=(1.0, 1.0, 1.0), partial=(1.0, 1.0, 1.0))


def random_image(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex64)


def test_a_full_matrix_changes_nothing():
    image = random_image(2, 10, 9, 8)
    torch.testing.assert_close(acquired(image, FULL), image)
    torch.testing.assert_close(acquired_noise(image, FULL), image)
    torch.testing.assert_close(truncated(image, (10, 9, 8)), image)


def test_zero_filling_keeps_the_power_of_what_was_acquired():
    small = random_image(10, 6, 8)
    spectrum = torch.fft.fftshift(torch.fft.fftn(small, norm="forward"))
    filled = torch.zeros(20, 12, 16, dtype=torch.complex64)
    filled[5:15, 3:9, 4:12] = spectrum
    image = torch.fft.ifftn(torch.fft.ifftshift(filled), norm="forward")
    kept = acquired(image, replace(FULL, acquired=(0.5, 0.5, 0.5)))
    torch.testing.assert_close(kept, image)
    assert float((kept.abs() ** 2).mean()) == pytest.approx(float((small.abs() ** 2).mean()), rel=1e-5)


@pytest.mark.parametrize("shape", [(9, 8, 5), (8, 6, 7)])
def test_a_smooth_image_is_sampled_at_the_middles_of_its_voxels(shape):
    parts = (2, 3, 4)

    def wave(counts):
        axes = [(torch.arange(n) + 0.5) / n for n in counts]
        x, y, z = torch.meshgrid(*axes, indexing="ij")
        return torch.polar(torch.ones_like(x), 2 * math.pi * (2 * x - y + 2 * z)) + 0.5

    fine = wave([n * p for n, p in zip(shape, parts, strict=True)])
    torch.testing.assert_close(truncated(fine, shape), wave(shape), rtol=1e-4, atol=1e-5)


def test_an_edge_rings_by_nine_percent():
    highest = []
    for late in range(8):  # where the edge lies in its voxel
        edge = torch.zeros(512, 4, 4, dtype=torch.complex64)
        edge[128 + late : 384 + late] = 1.0
        highest.append(float(truncated(edge, (64, 4, 4)).real.max()))
    assert max(highest) == pytest.approx(1.09, abs=0.02)


def test_partial_fourier_drops_one_side_of_the_acquired_lines():
    weights = line_weights(32, 0.75, 0.75, KSpacePlan())
    assert weights.nonzero().ravel().tolist() == list(range(16 - 12 + 6, 16 + 12))


@pytest.mark.parametrize("count", [16, 17])
def test_windows_fall_from_the_middle_of_k_space(count):
    hamming = line_weights(count, 1.0, 1.0, KSpacePlan(window="hamming"))
    tukey = line_weights(count, 1.0, 1.0, KSpacePlan(window="tukey", taper=0.5))
    for weights in (hamming, tukey):
        assert float(weights[count // 2]) == 1.0
        assert (weights[: count // 2].diff() >= 0).all()
        assert (weights[count // 2 :].diff() <= 0).all()
    assert float(tukey[count // 2 - 3 : count // 2 + 4].min()) == 1.0
    torch.testing.assert_close(line_weights(count, 1.0, 1.0, KSpacePlan(window="tukey", taper=0.0)), torch.ones(count))


def test_noise_keeps_its_variance_and_becomes_correlated():
    noise = random_image(24, 20, 16, seed=1)
    shaped = acquired_noise(noise, KSpacePlan(acquired=(0.6, 0.6, 1.0), partial=(1.0, 0.75, 1.0), window="hamming"))
    assert float(shaped.abs().std()) == pytest.approx(float(noise.abs().std()), rel=0.1)
    neighbours = (shaped * shaped.roll(1, 0).conj()).real.mean() / (shaped.abs() ** 2).mean()
    assert float(neighbours) > 0.4
