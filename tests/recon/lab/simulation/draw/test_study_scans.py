"""The scans that the verdict is studied on are ordinary, and those of two purposes are different."""

import numpy as np
import pytest

from recon.lab.simulation.draw.seeds import Purpose
from recon.lab.simulation.draw.study_scans import SCANS_PER_HEAD, draw_study_head

HEADS = range(10)


@pytest.fixture(scope="module")
def heads():
    return [draw_study_head(number, Purpose.TUNING) for number in HEADS]


@pytest.fixture(scope="module")
def scans(heads):
    return [scan for head in heads for scan in head.scans]


def seeds(purpose, numbers):
    return [scan.noise_seed for number in numbers for scan in draw_study_head(number, purpose).scans]


def test_equal_numbers_draw_equal_heads_and_purposes_are_apart():
    tuning, again = seeds(Purpose.TUNING, range(3)), seeds(Purpose.TUNING, range(3))
    assert tuning == again
    assert len(set(tuning)) == 3 * SCANS_PER_HEAD
    assert not set(tuning) & set(seeds(Purpose.EVALUATION, range(3)))


def test_the_scans_of_a_head_share_its_place(heads):
    for head in heads:
        first, *others = head.scans
        assert len(others) == SCANS_PER_HEAD - 1
        for scan in others:
            assert (scan.shape, scan.voxel_size_mm) == (first.shape, first.voxel_size_mm)
            assert (scan.centre_mm, scan.b0_head) == (first.centre_mm, first.b0_head)
            assert np.array_equal(scan.rotation, first.rotation)


def test_scanners_and_protocols_vary(scans):
    assert {scan.b0_tesla for scan in scans} == {1.5, 3.0, 7.0}
    counts = [len(scan.echo_times_s) for scan in scans]
    assert set(counts) == {1, 3, 4, 5, 6}
    assert 0.2 < counts.count(1) / len(counts) < 0.5
    assert any(scan.bipolar_rad for scan in scans)
    assert all(len(scan.echo_times_s) >= 4 for scan in scans if scan.bipolar_rad)
    assert all(np.all(np.diff(scan.echo_times_s) > 0) for scan in scans)


def test_nothing_is_wrong_with_them(scans):
    for effects in (scan.effects for scan in scans):
        assert effects.motion is None
        assert effects.slabs is None
        if effects.coils is not None:
            assert effects.coils.flipped is None
            assert effects.coils.combination != "adaptive"
            assert max(abs(loop.misalignment_rad) for loop in effects.coils.loops) < 4 * 0.2
        if effects.respiration is not None:
            assert effects.respiration.hz_at_3t <= 2.0
        if effects.kspace is not None:
            assert min(effects.kspace.acquired) >= 0.95
            assert min(effects.kspace.partial) >= 0.875


def test_ordinary_effects_are_there(scans):
    for name in ("coils", "respiration", "kspace", "fat"):
        assert sum(getattr(scan.effects, name) is not None for scan in scans) > len(scans) / 10
