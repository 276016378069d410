"""Every fault leaves an acquisition, is drawn and made alike from the same seed, and grows with its severity."""

import dataclasses

import numpy as np
import pytest

from recon.lab.simulation.faults.phase import signal_of
from recon.lab.simulation.faults.table import FAULTS, DrawnFault, draw_fault, spoiled

NEVER_HARMLESS = {
    *("homodyne", "open fringe lines", "inverted slab", "lost phase", "disordered slices", "lost magnitude", "metal")
}
"""Graded faults of which the mildest is one line, one slice, a void, or the loss of a constant."""
NEUTRAL = {"echo times": 1.0, "slice distance": 1.0}
"""Severity at which a fault changes nothing, where it is not zero."""
GRADED = [kind for kind, fault in FAULTS.items() if fault.low < fault.high]


def made(echoes, kind, severity, seed=3):
    return spoiled(echoes, DrawnFault(kind=kind, severity=severity, seed=seed))


def changed(before, after):
    """How far the data, or what the headers say of them, are from what they were."""
    strength = float(np.linalg.norm(signal_of(after) - signal_of(before)) / np.linalg.norm(signal_of(before)))
    pairs = (
        (before.echo_times_s, after.echo_times_s),
        (before.grid.b0_direction, after.grid.b0_direction),
        (before.grid.voxel_size_mm, after.grid.voxel_size_mm),
    )
    return strength + sum(float(np.abs(np.subtract(b, a)).max() / np.abs(b).max()) for b, a in pairs)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_spoiled_scan_is_a_scan(echoes, kind):
    fault, before = FAULTS[kind], (echoes.magnitude.copy(), echoes.phase_rad.copy())
    for severity in (fault.low, np.sqrt(fault.low * fault.high), fault.high):
        after = made(echoes, kind, severity)
        assert after.grid.shape == echoes.grid.shape
        for volume in (after.magnitude, after.phase_rad):
            assert volume.dtype == np.float32
            assert volume.flags.c_contiguous
            assert np.isfinite(volume).all()
        assert (after.magnitude >= 0).all()
        assert np.abs(after.phase_rad).max() <= np.pi + 1e-5
        assert len(after.echo_times_s) == len(echoes.echo_times_s) - (kind == "times of the echo before")
    assert np.array_equal(echoes.magnitude, before[0])
    assert np.array_equal(echoes.phase_rad, before[1])


@pytest.mark.parametrize("kind", FAULTS)
def test_equal_seeds_make_equal_faults(echoes, kind):
    fault = DrawnFault(kind=kind, severity=FAULTS[kind].high, seed=8)
    first, again = spoiled(echoes, fault), spoiled(echoes, fault)
    assert np.array_equal(first.magnitude, again.magnitude)
    assert np.array_equal(first.phase_rad, again.phase_rad)
    assert (first.grid, first.echo_times_s) == (again.grid, again.echo_times_s)


@pytest.mark.parametrize("kind", FAULTS)
def test_no_fault_of_the_table_leaves_a_scan_as_it_was(echoes, kind):
    after = made(echoes, kind, FAULTS[kind].high)
    if kind == "times of the echo before":
        assert after.echo_times_s == echoes.echo_times_s[:-1]
    else:
        assert changed(echoes, after) > 0.02


@pytest.mark.parametrize("kind", GRADED)
def test_what_is_graded_grows(echoes, kind):
    fault = FAULTS[kind]
    mild, worst = (changed(echoes, made(echoes, kind, s)) for s in (fault.low, fault.high))
    assert worst > 1.3 * mild


@pytest.mark.parametrize("kind", sorted(set(GRADED) - NEVER_HARMLESS))
def test_a_fault_of_no_severity_is_none(echoes, kind):
    after = made(echoes, kind, NEUTRAL.get(kind, 1e-7))
    assert changed(echoes, after) < 1e-4


def test_every_kind_is_drawn_within_its_range_and_its_echoes():
    rng = np.random.default_rng(1)
    for echoes in (1, 2, 3):
        drawn = [draw_fault(rng, echoes=echoes) for _ in range(600)]
        assert {d.kind for d in drawn} == {kind for kind, fault in FAULTS.items() if fault.least_echoes <= echoes}
        for one in drawn:
            fault = FAULTS[one.kind]
            assert fault.low * (1 - 1e-9) <= one.severity <= fault.high * (1 + 1e-9)


def test_equal_generators_draw_equal_faults():
    one, same, other = (
        [dataclasses.astuple(draw_fault(rng, echoes=4)) for _ in range(5)]
        for rng in (np.random.default_rng(seed) for seed in (2, 2, 3))
    )
    assert one == same != other
