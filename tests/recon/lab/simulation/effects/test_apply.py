"""Effects on a small oblique head: none changes nothing, each alone changes its part, devices and seeds agree."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recon.lab.simulation.draw.cases import draw_case
from recon.lab.simulation.draw.effect_plans import NO_EFFECTS, EffectsPlan, KSpacePlan
from recon.lab.simulation.draw.effects import ALL_EFFECTS, draw_effects, only
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.effects.apply import (
    dephasing_factor,
    disturbed_field_ppm,
    fine_signal,
    image_echoes,
    image_noise,
    lattice_effects,
)
from recon.lab.simulation.field import head_field
from recon.lab.simulation.head import WHITE_MATTER_LABEL
from recon.lab.simulation.template import load_template

ON_THE_LATTICE = {"coils", "conductivity", "flow", "fat", "compartments"}
ON_THE_IMAGE = {"kspace", "respiration", "drift", "motion", "slices", "slabs"}


@pytest.fixture(scope="module")
def head():
    drawn = draw_case("oblique", generator(Purpose.TUNING, 43), voxel_size_mm=5.0)
    scan = replace(
        drawn.scan,
        shape=(34, 40, 18),
        voxel_size_mm=(5.0, 5.2, 7.0),
        oversample=(1, 1, 2),
        echo_times_s=(0.006, 0.018),
    )
    return head_field(drawn.head, scan, load_template()), scan


def signal_of(made):
    phase = 0.3 * made.field_ppm.clamp(-3, 3)
    return torch.polar(made.volumes.signal, phase)


def on_the_lattice(head, plan, echo=1):
    made, scan = head
    return fine_signal(signal_of(made), made.volumes.fat, lattice_effects(made, scan, plan), scan, echo, plan)


def echoes_of(head):
    made, scan = head
    x, y, z = scan.shape
    image = signal_of(made).reshape(x, y, z, 2).mean(-1)
    return torch.stack([image, image * image.abs()])


def test_without_effects_nothing_changes(head):
    made, scan = head
    none = NO_EFFECTS
    assert disturbed_field_ppm(made, scan, none) is made.field_ppm
    signal, left = signal_of(made), torch.ones_like(made.field_ppm)
    ready = lattice_effects(made, scan, none)
    assert fine_signal(signal, made.volumes.fat, ready, scan, 0, none) is signal
    assert dephasing_factor(made.field_ppm, signal.abs(), left, scan, 0, none) is left
    echoes = echoes_of(head)
    assert image_echoes(echoes, scan, none) is echoes
    assert image_noise(echoes, none) is echoes


@pytest.mark.parametrize("name", ALL_EFFECTS)
def test_each_effect_acts_where_it_should_and_nowhere_else(head, name):
    made, scan = head
    plan = only(name)
    field_changes = disturbed_field_ppm(made, scan, plan) is not made.field_ppm
    assert field_changes == (name == "anisotropy")
    lattice_changes = float((on_the_lattice(head, plan) - signal_of(made)).abs().max()) > 0.01
    assert lattice_changes == (name in ON_THE_LATTICE)
    echoes = echoes_of(head)
    image_changes = float((image_echoes(echoes, scan, plan) - echoes).abs().max()) > 0.01
    assert image_changes == (name in ON_THE_IMAGE)
    left = torch.ones_like(made.field_ppm)
    factor = dephasing_factor(made.field_ppm, made.volumes.signal, left, scan, 1, plan)
    assert (factor is not left) == (name == "subvoxels")


def test_a_plan_applied_twice_gives_the_same_echoes(head):
    _, scan = head
    for seed in (1, 2):
        drawn = [
            draw_effects(np.random.default_rng(seed), b0_tesla=3.0, echo_times_s=scan.echo_times_s) for _ in range(2)
        ]
        first, second = (on_the_lattice(head, plan) for plan in drawn)
        assert torch.equal(first, second)
        assert torch.isfinite(torch.view_as_real(first)).all()
        echoes = [image_echoes(echoes_of(head), scan, plan) for plan in drawn]
        assert torch.equal(*echoes)
        assert torch.isfinite(torch.view_as_real(echoes[0])).all()


def test_receive_phase_varies_over_the_brain_as_a_wavy_field_does(head):
    made, scan = head
    receive = lattice_effects(made, scan, only("coils")).receive
    inside = receive[made.volumes.brain]
    assert float(inside.abs().mean()) == pytest.approx(1.0, abs=0.1)
    assert float(inside.abs().max() / inside.abs().min()) > 1.5
    assert float((inside * inside.mean().conj()).angle().std()) > 0.1


def test_blood_moves_in_the_vessels_alone(head):
    made, scan = head
    velocity = lattice_effects(made, scan, only("flow")).velocity_cm_per_s
    moving = velocity != 0
    assert 0 < float(moving.float().mean()) < 0.02
    assert 5 < float(velocity.abs().max()) <= 60


def test_anisotropy_changes_the_field_by_ppb(head):
    made, scan = head
    change = disturbed_field_ppm(made, scan, only("anisotropy")) - made.field_ppm
    white = made.volumes.label == WHITE_MATTER_LABEL
    assert 0.001 < float(change[white].std()) < 0.01
    assert float(change[white].std()) > 2 * float(change[~made.volumes.brain].std())


def test_breathing_ghosts_along_the_phase_encoding(head):
    _, scan = head
    echoes = echoes_of(head)
    change = (image_echoes(echoes, scan, only("respiration")) - echoes)[1]
    air = echoes[1].abs() < 1e-3
    assert float(change.abs()[air].max()) > 10 * float(echoes[1].abs()[air].max())


def test_noise_has_the_spectrum_of_what_was_acquired(head):
    _, scan = head
    noise = torch.randn(2, *scan.shape, generator=torch.Generator().manual_seed(9), dtype=torch.complex64)
    plan = EffectsPlan(kspace=KSpacePlan(acquired=(0.5, 1.0, 1.0), partial=(1.0, 1.0, 1.0)))
    spectrum = torch.fft.fft(image_noise(noise, plan), dim=1).abs().mean((0, 2, 3))
    assert float(spectrum[12:22].max()) < 1e-3 * float(spectrum.max())
