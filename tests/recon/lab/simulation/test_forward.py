"""Scans with the physics of qsm-forward: its conventions, its truth, and that they are for evaluation only."""

import dataclasses
import sys

import numpy as np
import pytest
import torch
from scipy import ndimage

from recon.errors import InvalidInputError
from recon.lab.simulation.draw.cases import draw_case, subject_number
from recon.lab.simulation.draw.forward_cases import FORWARD_CASES
from recon.lab.simulation.draw.plan import SubjectPlan
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.forward import forward_field_ppm, simulate_forward
from recon.lab.simulation.head import GREY_MATTER_LABEL, WHITE_MATTER_LABEL
from recon.lab.simulation.scan import simulate_case
from recon.operators.dipole import dipole_field
from recon.types import GAMMA_HZ_PER_TESLA, Grid

try:
    from qsm_forward import qsm_forward
except ImportError:
    qsm_forward = None
needs_qsm_forward = pytest.mark.skipif(qsm_forward is None, reason="qsm-forward is not installed")


def drawn(case):
    return draw_case(case, generator(Purpose.EVALUATION, subject_number(case, 0)), voxel_size_mm=4.0)


def phase_left_rad(scan, later, earlier):
    """What the true field does not explain of the phase between two echoes, in the brain's inside."""
    times_s = scan.echoes.echo_times_s
    turns = GAMMA_HZ_PER_TESLA * scan.echoes.b0_tesla * 1e-6 * (times_s[later] - times_s[earlier])
    measured = scan.echoes.phase_rad[later] - scan.echoes.phase_rad[earlier]
    left = np.angle(np.exp(1j * (measured - 2 * np.pi * turns * scan.field_ppm)))
    return np.where(ndimage.binary_erosion(scan.brain, iterations=3), left, np.nan)


@needs_qsm_forward
def test_its_field_is_ours_with_uneven_voxels_and_oblique_b0():
    grid = Grid(shape=(40, 44, 36), voxel_size_mm=(1.0, 1.4, 1.9), b0_direction=(0.36, 0.48, 0.8))
    chi = np.zeros(grid.shape, dtype=np.float32)
    inner = chi[10:-10, 12:-12, 9:-9]
    inner[:] = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=inner.shape), 1.2)
    theirs = forward_field_ppm(qsm_forward, torch.from_numpy(chi), grid).numpy()
    ours = dipole_field(torch.from_numpy(chi), grid).numpy()
    assert np.corrcoef(theirs.ravel(), ours.ravel())[0, 1] > 0.99999
    assert (theirs * ours).sum() / (ours**2).sum() == pytest.approx(1, abs=1e-4)


@needs_qsm_forward
def test_phase_grows_with_the_true_field():
    """Not exactly: with voxels of 4 mm the scalp rings through the brain."""
    subject = drawn("7t-forward")
    clean = dataclasses.replace(subject.scan, snr=1e4, echo_times_s=(0.004, 0.006))
    scan = simulate_forward(SubjectPlan(head=subject.head, scan=clean))
    left = phase_left_rad(scan, 1, 0)
    inside = np.isfinite(left)
    expected = 2 * np.pi * GAMMA_HZ_PER_TESLA * scan.echoes.b0_tesla * 2e-9 * scan.field_ppm[inside]
    measured = expected + left[inside]
    assert np.corrcoef(measured, expected)[0, 1] > 0.9
    assert np.polyfit(expected, measured, 1)[0] == pytest.approx(1, abs=0.05)
    assert scan.echoes.grid.shape == subject.scan.shape
    volume_ml = scan.brain.sum() * scan.echoes.grid.voxel_volume_mm3 / 1e3
    assert 800 < volume_ml < 2000


@needs_qsm_forward
def test_the_snr_is_the_brains():
    scan = simulate_case("noisy-forward", subject_number("noisy-forward", 0), voxel_size_mm=4.0)
    outside = scan.echoes.magnitude[0][:3, :3, -4:]
    assert np.sqrt(np.mean(outside**2) / 2) == pytest.approx(1000 / 13, rel=0.25)


@needs_qsm_forward
def test_bipolar_echoes_turn_the_odd_and_even_ramp():
    subject = drawn("bipolar-forward")
    clean = dataclasses.replace(subject.scan, snr=1e4, echo_times_s=(0.010, 0.012, 0.014))
    left = phase_left_rad(simulate_forward(SubjectPlan(head=subject.head, scan=clean)), 1, 0)
    x = np.broadcast_to(np.linspace(-0.5, 0.5, left.shape[0])[:, None, None], left.shape)
    inside = np.isfinite(left)
    slope = np.polyfit(x[inside], left[inside], 1)[0]
    assert slope == pytest.approx(-2 * clean.bipolar_rad, rel=0.05)


@needs_qsm_forward
def test_white_matter_of_hollow_cylinders_has_a_phase_of_its_own_and_nothing_else_has():
    subject = drawn("white-forward")
    scan = dataclasses.replace(subject.scan, snr=1e6)
    plain = dataclasses.replace(scan, effects=dataclasses.replace(scan.effects, compartments=None))
    white, simple = (simulate_forward(SubjectPlan(head=subject.head, scan=one)) for one in (scan, plain))
    own = np.abs(np.angle(np.exp(1j * (white.echoes.phase_rad[0] - simple.echoes.phase_rad[0]))))
    in_white = np.median(own[white.brain & (white.label == WHITE_MATTER_LABEL)])
    elsewhere = np.median(own[white.brain & (white.label == GREY_MATTER_LABEL)])
    assert 0.003 < in_white < 0.1
    assert elsewhere < in_white / 2


def test_every_case_has_a_receive_array_and_a_head_of_its_own():
    for case in FORWARD_CASES:
        scan = draw_case(case, generator(Purpose.EVALUATION, 0)).scan
        assert scan.effects.coils is not None
    numbers = {subject_number(case, seed) for seed in range(3) for case in FORWARD_CASES}
    assert len(numbers) == 3 * len(FORWARD_CASES)


def test_nothing_but_evaluation_may_use_it():
    with pytest.raises(ValueError, match="healthy-forward is for evaluation only, not for tuning"):
        simulate_case("healthy-forward", 0, purpose=Purpose.TUNING, voxel_size_mm=4.0)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "qsm_forward", None)
    with pytest.raises(InvalidInputError, match=r"qsm-forward is missing.*'test' extra"):
        simulate_case("healthy-forward", 0, voxel_size_mm=4.0)
