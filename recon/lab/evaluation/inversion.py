"""How good each inversion is on simulated heads, from the true field and from wrapped phase."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from recon.field.total import total_field
from recon.inversion.methods import find_method
from recon.lab.evaluation.bands import error_bands
from recon.lab.evaluation.score import coverage_percent, referenced, score
from recon.lab.evaluation.store import InversionResult, InversionRow, Judged, Source, Store
from recon.lab.simulation.draw.cases import subject_number
from recon.lab.simulation.scan import SimulatedScan, simulate_case
from recon.types import BoolArray, TotalField

ERODED_VOXELS = 3
_SOURCES: tuple[Source, ...] = ("true field", "wrapped phase")


def evaluate_inversion(
    methods: Iterable[str],
    cases: Iterable[str],
    *,
    seed: int = 0,
    voxel_size_mm: float | None = None,
    engine: str = "auto",
    folder: Path | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Iterator[InversionResult]:
    """Invert simulated heads by every method and compare with the truth.

    Methods get the true brain as mask, without erosion, and the noise estimated from the echoes, which also shows them
    the edges of the magnitude.

    Parameters
    ----------
    methods, engine
        Keys of :data:`recon.options.METHODS`, and engine for those with a network.
    cases, seed, voxel_size_mm, progress
        As for :func:`recon.lab.evaluation.field.evaluate_field`.
    folder
        Where results are kept, and not made again if they are there; None to keep none.

    Raises
    ------
    InvalidInputError
        If there is no such method or case.
    """
    methods = tuple(methods)
    known = Store(folder=folder, seed=seed, voxel_size_mm=voxel_size_mm) if folder else None
    for method in methods:
        find_method(method)
    for case in cases:
        found = {(s, m): known.load(case, s, m) if known else None for s in _SOURCES for m in methods}
        given: dict[Source, TotalField] = {}
        if None in found.values():
            progress(f"{case}: simulating")
            scan = simulate_case(case, subject_number(case, seed), voxel_size_mm=voxel_size_mm)
            progress(f"{case}: total field from wrapped phase")
            measured = total_field(scan.echoes, mask=scan.brain)
            isolated = replace(measured, field_ppm=np.where(measured.mask, scan.field_ppm, np.float32(0)))
            given = {"true field": isolated, "wrapped phase": measured}
        for source, method in itertools.product(_SOURCES, methods):
            result = found[source, method]
            if result is None:
                progress(f"{case}: {method} from {source}")
                result = _judge(scan, case, method, source, given[source], engine)
                if known:
                    known.save(result)
            yield result


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
            coverage_percent=coverage_percent(chi, mask),
            score=score(chi, scan.chi_ppm, mask, scan.label),
            bands=error_bands(chi, scan.chi_ppm, mask, scan.echoes.grid),
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
