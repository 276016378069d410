"""The faults, one row each, and how one is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recon.lab.simulation.faults import headers, lines, phase, slices
from recon.types import GradientEcho

Spoil = Callable[[GradientEcho, float, np.random.Generator], GradientEcho]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One kind of fault.

    Parameters
    ----------
    spoil
        Makes it: takes echoes, severity, and a source of randomness.
    low, high
        Range of the severity, in the unit that ``spoil`` states: harmless to ruinous. Equal where there is one only.
    least_echoes
        How many echoes it needs.
    """

    spoil: Spoil
    low: float = 1.0
    high: float = 1.0
    least_echoes: int = 1


@dataclass(frozen=True, kw_only=True)
class DrawnFault:
    """A fault of one scan: its key in :data:`FAULTS`, its severity, and the seed of everything else."""

    kind: str
    severity: float
    seed: int


FAULTS: dict[str, Fault] = {
    "echo constants": Fault(spoil=phase.echo_constants, low=0.03, high=2.0, least_echoes=3),
    "echo ramps": Fault(spoil=phase.echo_ramps, low=0.05, high=4.0, least_echoes=3),
    "inverted": Fault(spoil=phase.inverted),
    "phase range": Fault(spoil=phase.scaled_phase, low=0.02, high=0.6),
    "coarse phase": Fault(spoil=phase.coarse_phase, low=0.05, high=3.0),
    "swapped echoes": Fault(spoil=phase.swapped_echoes, least_echoes=2),
    "repeated echo": Fault(spoil=phase.repeated_echo, least_echoes=2),
    "alternating sense": Fault(spoil=phase.conjugate_echoes, least_echoes=2),
    "mirrored phase": Fault(spoil=phase.mirrored_phase),
    "other run's magnitude": Fault(spoil=phase.displaced_phase, low=2.0, high=40.0),
    "homodyne": Fault(spoil=phase.homodyne, low=0.02, high=0.4),
    "open fringe lines": Fault(spoil=phase.fringes, low=1.0, high=5.0),
    "slice offsets": Fault(spoil=slices.slice_offsets, low=0.03, high=2.0),
    "slice offsets per echo": Fault(spoil=slices.slice_offsets_per_echo, low=0.03, high=1.5, least_echoes=2),
    "slab phases": Fault(spoil=slices.slab_phases, low=0.1, high=3.0),
    "slab fields": Fault(spoil=slices.slab_fields, low=0.3, high=40.0),
    "inverted slab": Fault(spoil=slices.inverted_slab, low=0.05, high=0.5),
    "lost phase": Fault(spoil=slices.lost_slices, low=0.02, high=0.4),
    "disordered slices": Fault(spoil=slices.disordered_slices, low=0.05, high=1.0),
    "noise": Fault(spoil=lines.noise, low=0.02, high=1.0),
    "motion": Fault(spoil=lines.motion, low=0.5, high=12.0),
    "motion between echoes": Fault(spoil=lines.motion_between_echoes, low=0.3, high=8.0, least_echoes=2),
    "breathing": Fault(spoil=lines.breathing, low=1.0, high=40.0),
    "drift": Fault(spoil=lines.drift, low=5.0, high=300.0),
    "ghost": Fault(spoil=lines.ghost, low=0.02, high=0.7),
    "spike": Fault(spoil=lines.spike, low=0.05, high=3.0),
    "metal": Fault(spoil=lines.metal, low=50.0, high=5000.0),
    "lost magnitude": Fault(spoil=lines.lost_magnitude, low=0.02, high=0.4),
    "echo times": Fault(spoil=headers.scaled_times, low=1.03, high=3.0),
    "times of the echo before": Fault(spoil=headers.first_echo_missing, least_echoes=3),
    "direction of B0": Fault(spoil=headers.tilted_field, low=3.0, high=90.0),
    "slice distance": Fault(spoil=headers.scaled_slices, low=1.05, high=2.5),
}
"""By what is wrong. Their severities were chosen by what they are, never by what the verdict says of them."""


def draw_fault(rng: np.random.Generator, *, echoes: int) -> DrawnFault:
    """Draw a fault for a scan of so many echoes; the severity log-uniformly."""
    kinds = [kind for kind, fault in FAULTS.items() if fault.least_echoes <= echoes]
    kind = kinds[int(rng.integers(len(kinds)))]
    low, high = np.log(FAULTS[kind].low), np.log(FAULTS[kind].high)
    return DrawnFault(kind=kind, severity=float(np.exp(rng.uniform(low, high))), seed=int(rng.integers(2**31)))


def spoiled(echoes: GradientEcho, fault: DrawnFault) -> GradientEcho:
    """Return the echoes of a scan with a fault."""
    return FAULTS[fault.kind].spoil(echoes, fault.severity, np.random.default_rng(fault.seed))
