"""How good each inversion is on simulated heads, from the true field and from wrapped phase."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from scipy import ndimage

from recon.field.total import total_field
from recon.inversion.methods import find_method
from recon.lab.evaluation.score import Score, referenced, regions_of, score
from recon.lab.simulation.draw.cases import CASES, subject_number
from recon.lab.simulation.scan import SimulatedScan, simulate_case
from recon.options import METHODS
from recon.types import BoolArray, FloatArray, TotalField

Source = Literal["true field", "wrapped phase"]
Judged = Literal["brain", "eroded"]
ERODED_VOXELS = 3
_SOURCES: tuple[Source, ...] = ("true field", "wrapped phase")


@dataclass(frozen=True, kw_only=True)
class InversionRow:
    """One method on one case.

    Parameters
    ----------
    case, method
        Names.
    source
        What the method was given: the noise-free true field, or what the product makes of wrapped phase.
    judged
        Which voxels count: the true brain, or that eroded by three voxels, the same for all methods.
    coverage_percent
        Share of them in which the method gave a value; the others count as zero.
    score
        Metrics.
    seconds
        Wall-clock time of the inversion alone.
    """

    case: str
    method: str
    source: Source
    judged: Judged
    coverage_percent: float
    score: Score
    seconds: float


@dataclass(frozen=True, kw_only=True)
class InversionResult:
    """A method's map with its rows.

    Parameters
    ----------
    rows
        One for each mask that it was judged on.
    chi_ppm
        ``(x, y, z)`` float32 relative to its mean over the brain, zero outside.
    truth_ppm
        ``(x, y, z)`` float32, likewise.
    """

    rows: tuple[InversionRow, ...]
    chi_ppm: FloatArray
    truth_ppm: FloatArray


class Known(Protocol):
    """Where results of earlier runs are; see :class:`recon.lab.evaluation.store.Store`."""

    def load(self, case: str, source: Source, method: str) -> InversionResult | None:
        """Return a result, or None."""

    def save(self, result: InversionResult) -> None:
        """Keep a result."""


class Nothing:
    """No earlier results, and none kept."""

    def load(self, case: str, source: Source, method: str) -> InversionResult | None:
        """Return None."""

    def save(self, result: InversionResult) -> None:
        """Do nothing."""


def evaluate_inversion(
    methods: Iterable[str] = tuple(METHODS),
    cases: Iterable[str] = tuple(CASES),
    *,
    seed: int = 0,
    voxel_size_mm: float | None = None,
    engine: str = "auto",
    known: Known | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Iterator[InversionResult]:
    """Invert simulated heads by every method and compare with the truth.

    Both times the mask handed to the method is the true brain, without erosion. The noise map always is the one
    estimated from the echoes: it also tells methods where the magnitude has edges.

    Parameters
    ----------
    methods
        Keys of :data:`recon.options.METHODS`.
    cases
        Keys of :data:`recon.lab.simulation.draw.cases.CASES`.
    seed
        Number of the evaluation: another one takes another head for every case.
    voxel_size_mm
        Smallest voxel edge, for quick looks; the case's own when not given.
    engine
        Engine for methods with a network.
    known
        Results that need not be made again.
    progress
        Told what is being done.

    Raises
    ------
    InvalidInputError
        If there is no such method or case.
    """
    methods, known = tuple(methods), known or Nothing()
    for method in methods:
        find_method(method)
    for case in cases:
        found = {(s, m): known.load(case, s, m) for s in _SOURCES for m in methods}
        given: dict[Source, TotalField] = {}
        if None in found.values():
            progress(f"{case}: simulating")
            scan = simulate_case(case, subject_number(case, seed), voxel_size_mm=voxel_size_mm)
            progress(f"{case}: total field from wrapped phase")
            measured = total_field(scan.echoes, mask=scan.brain)
            isolated = replace(measured, field_ppm=_true_field(scan, measured.mask))
            given = {"true field": isolated, "wrapped phase": measured}
        for source, method in itertools.product(_SOURCES, methods):
            result = found[source, method]
            if result is None:
                progress(f"{case}: {method} from {source}")
                result = _judge(scan, case, method, source, given[source], engine)
                known.save(result)
            yield result


def _true_field(scan: SimulatedScan, mask: BoolArray) -> FloatArray:
    """Return the true total field in a mask."""
    return np.where(mask, scan.field_ppm, np.float32(0))


def _judge(
    scan: SimulatedScan, case: str, method: str, source: Source, total: TotalField, engine: str
) -> InversionResult:
    """Invert one field by one method and score the map on both masks."""
    start = time.perf_counter()
    inverted = find_method(method)(total, engine)
    seconds = time.perf_counter() - start
    chi = np.where(total.mask, inverted.chi_ppm, np.float32(0))
    masks: tuple[tuple[Judged, BoolArray], ...] = (("brain", scan.brain), ("eroded", eroded(scan.brain)))
    rows = tuple(
        InversionRow(
            case=case,
            method=method,
            source=source,
            judged=judged,
            coverage_percent=float(100 * np.mean(chi[mask] != 0)),
            score=score(chi, scan.chi_ppm, mask, regions_of(scan.label, mask)),
            seconds=seconds,
        )
        for judged, mask in masks
        if mask.any()
    )
    return InversionResult(
        rows=rows, chi_ppm=referenced(chi, scan.brain), truth_ppm=referenced(scan.chi_ppm, scan.brain)
    )


def eroded(mask: BoolArray) -> BoolArray:
    """Return a mask less its outer three voxels; the volume's faces count as outside."""
    inner: BoolArray = ndimage.binary_erosion(mask, iterations=ERODED_VOXELS)
    return inner
