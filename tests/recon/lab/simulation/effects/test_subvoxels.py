"""Dephasing inside a voxel: the sinc of a linear field, and nearly the truth around a small source."""

import math
from dataclasses import replace

import pytest
import torch

from recon.lab.simulation.draw.effect_plans import SubvoxelsPlan
from recon.lab.simulation.effects import subvoxels
from recon.lab.simulation.effects.subvoxels import subvoxel_factor

SHAPE = (9, 8, 7)
PLAN = SubvoxelsPlan(parts=4, turns=0.1)


def test_a_uniform_field_keeps_the_factor_of_elsewhere():
    elsewhere = torch.rand(SHAPE)
    factor = subvoxel_factor(torch.full(SHAPE, 0.3), torch.rand(SHAPE), PLAN, elsewhere)
    torch.testing.assert_close(factor, elsewhere.to(torch.complex64))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_linear_field_dephases_as_the_mean_over_the_subvoxels_does(axis):
    slope = 0.4
    position = torch.arange(SHAPE[axis], dtype=torch.float32).reshape([-1 if i == axis else 1 for i in range(3)])
    turns = (slope * position).expand(SHAPE).clone()
    factor = subvoxel_factor(turns, torch.ones(SHAPE), replace(PLAN, parts=16), torch.ones(SHAPE))
    middle = factor[4, 4, 3]
    assert complex(middle) == pytest.approx(math.sin(math.pi * slope) / (math.pi * slope), abs=1e-3)


def test_a_bright_side_turns_the_phase_towards_its_own():
    position = torch.arange(SHAPE[0], dtype=torch.float32)[:, None, None]
    turns = (0.3 * position).expand(SHAPE).clone()
    signal = (1.0 + 0.1 * position).expand(SHAPE).clone()
    factor = subvoxel_factor(turns, signal, PLAN, torch.ones(SHAPE))
    assert float(factor[4, 4, 3].angle()) > 0.01
    mirrored = subvoxel_factor(turns, signal.flip(0), PLAN, torch.ones(SHAPE))
    assert float(mirrored[4, 4, 3].angle()) < -0.01


def test_it_is_closer_to_a_finer_lattice_than_a_sinc_is():
    def field_turns(step):
        axes = [torch.arange(-6 + step / 2, 6, step, dtype=torch.float64) for _ in range(3)]
        x, y, z = torch.meshgrid(*axes, indexing="ij")
        squared = x**2 + y**2 + z**2
        return (30.0 * (3 * z**2 / squared - 1) / squared.clamp(min=4.0) ** 1.5).float()

    parts, coarse = 4, field_turns(1.0)
    fine = torch.polar(torch.ones((48,) * 3), 2 * math.pi * field_turns(1 / parts))
    truth = fine.reshape(12, parts, 12, parts, 12, parts).mean(dim=(1, 3, 5))
    sinc = torch.ones_like(coarse)
    for slope in torch.gradient(coarse):
        sinc = sinc * torch.sinc(slope).abs()
    turned = torch.polar(torch.ones_like(coarse), 2 * math.pi * coarse)
    ours = turned * subvoxel_factor(coarse, torch.ones_like(coarse), PLAN, sinc)
    x, y, z = torch.meshgrid(*[torch.arange(-5.5, 6.0)] * 3, indexing="ij")
    near = ((x**2 + y**2 + z**2) > 9) & ((x**2 + y**2 + z**2) < 25)
    errors = [float((guess - truth)[near].abs().square().mean().sqrt()) for guess in (ours, turned * sinc)]
    assert errors[0] < 0.6 * errors[1]


def test_blocks_do_not_change_the_sum(monkeypatch):
    turns = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))
    signal = torch.rand(SHAPE)
    whole = subvoxel_factor(turns, signal, PLAN, torch.ones(SHAPE))
    monkeypatch.setattr(subvoxels, "_BLOCK", 4)
    torch.testing.assert_close(subvoxel_factor(turns, signal, PLAN, torch.ones(SHAPE)), whole)


def test_points_without_signal_stay_finite():
    factor = subvoxel_factor(torch.randn(SHAPE), torch.zeros(SHAPE), PLAN, torch.ones(SHAPE))
    assert torch.isfinite(torch.view_as_real(factor)).all()
