"""Training subjects are scans that fit in memory, in every direction of B0, most of them hard."""

import numpy as np
import pytest

from recon.lab.simulation.draw.effect_plans import NO_EFFECTS
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.training import subjects
from recon.lab.training.subjects import MAX_VOXELS, draw_scan, draw_subject


@pytest.mark.parametrize("seed", range(12))
def test_subjects_fit_in_memory_and_are_scans(seed):
    subject = draw_subject(generator(Purpose.TRAINING, seed))
    assert np.prod(subject.scan.shape) <= MAX_VOXELS
    assert np.linalg.norm(subject.scan.b0_direction) == pytest.approx(1.0)
    assert subject.scan.echo_times_s == tuple(sorted(subject.scan.echo_times_s))


def test_heads_lie_in_the_magnet_in_every_direction():
    tilts_deg = [
        np.degrees(np.arccos(abs(draw_scan(generator(Purpose.TRAINING, seed)).b0_head[2]))) for seed in range(400)
    ]
    # Of the 40 % in any direction, cos 30° are beyond 30°, cos 60° beyond 60°.
    assert 0.24 < np.mean(np.greater(tilts_deg, 30)) < 0.46
    assert 0.12 < np.mean(np.greater(tilts_deg, 60)) < 0.30


@pytest.fixture(scope="module")
def hard():
    drawn = [draw_subject(generator(Purpose.TRAINING, seed)).scan for seed in range(120)]
    scans = [scan for scan in drawn if scan.effects != NO_EFFECTS]
    assert 0.6 < len(scans) / len(drawn) < 0.8
    return scans


def test_scans_with_effects_are_small_enough_to_simulate_echo_by_echo(hard):
    for scan in hard:
        points = np.prod(scan.shape) * np.prod(scan.oversample)
        assert points <= 8_000_000
        assert points * len(scan.echo_times_s) <= 30_000_000
        assert min(scan.shape) >= 32


def test_scans_with_effects_are_of_every_kind(hard):
    assert any(scan.effects.two_dimensional for scan in hard)
    assert all(scan.voxel_size_mm[2] >= 1.5 for scan in hard if scan.effects.two_dimensional)
    assert any(scan.bipolar_rad for scan in hard)
    assert all(len(scan.echo_times_s) >= 3 for scan in hard if scan.bipolar_rad)
    assert any(len(scan.echo_times_s) == 1 for scan in hard)
    assert any(min(scan.oversample) > 1 for scan in hard)
    assert all(not any(scan.offset_rad) for scan in hard if scan.effects.coils)
    assert any(any(scan.offset_rad) for scan in hard)


def test_effects_leave_all_else_that_is_drawn_as_it_is(monkeypatch):
    for seed in range(6):
        rng, plain_rng = (generator(Purpose.TRAINING, seed) for _ in range(2))
        scan = draw_subject(rng).scan
        with monkeypatch.context() as patched:
            patched.setattr(subjects, "_WITH_EFFECTS", 0.0)
            plain = draw_subject(plain_rng).scan
        assert rng.bit_generator.state == plain_rng.bit_generator.state
        assert (scan.voxel_size_mm, scan.b0_head, scan.snr, scan.noise_seed) == (
            plain.voxel_size_mm,
            plain.b0_head,
            plain.snr,
            plain.noise_seed,
        )
