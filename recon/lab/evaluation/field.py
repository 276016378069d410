"""Error of the total field on simulated scans whose field is known, beside simpler ways to compute it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from recon.engines.deepbet import segment
from recon.field.total import total_field
from recon.lab.evaluation.field_errors import (
    FieldErrors,
    PartErrors,
    errors_ppm,
    field_errors,
    part_errors,
    within_two_noise_percent,
)
from recon.lab.evaluation.rivals import laplacian_field, skimage_field
from recon.lab.simulation.draw.cases import subject_number
from recon.lab.simulation.scan import SimulatedScan, simulate_case
from recon.types import GAMMA_HZ_PER_TESLA, BoolArray, FloatArray

OURS = "ours"
RIVALS = {"skimage per echo": skimage_field, "laplacian": laplacian_field}


@dataclass(frozen=True, kw_only=True)
class FieldRow(FieldErrors):
    """One way on one case, judged in the true brain; for a single echo without the smooth receive phase.

    Parameters
    ----------
    case, method
        Names.
    mask_dice
        Dice of the mask against the true brain; None where the true one was handed in.
    within_two_noise_percent
        Share of the errors within two standard deviations of the estimated noise; None where none is estimated.
    parts
        The errors by depth below the brain's surface and by distance from strong sources and lesions.
    seconds
        Wall-clock time from the echoes to the field, without warm-up.
    """

    case: str
    method: str
    mask_dice: float | None
    within_two_noise_percent: float | None
    parts: tuple[PartErrors, ...]
    seconds: float


def dice(one: BoolArray, other: BoolArray) -> float:
    """Return twice the overlap of two masks over the sum of their sizes."""
    sizes = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / max(1, sizes)


def evaluate_field(
    cases: Iterable[str],
    *,
    seed: int = 0,
    voxel_size_mm: float | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Iterator[FieldRow]:
    """Make the total field of simulated scans in three ways and compare each with the truth.

    All three are given the true brain, so that they are judged on the same voxels; of our own mask of the same echoes
    only the Dice counts.

    Parameters
    ----------
    cases
        Of :data:`recon.lab.simulation.draw.cases.ALL_CASES`.
    seed
        Number of the evaluation: another one takes another head for every case.
    voxel_size_mm
        Smallest voxel edge, for a quick look; the case's own when not given.
    progress
        Called with what is being done.

    Raises
    ------
    InvalidInputError
        If the case is unknown, or if scikit-image is missing, or qsm-forward for a case that needs it.
    """
    for case in cases:
        progress(f"{case}: simulating")
        scan = simulate_case(case, subject_number(case, seed), voxel_size_mm=voxel_size_mm)
        progress(f"{case}: our mask")
        own_mask = total_field(scan.echoes, segment=segment).mask
        progress(f"{case}: {OURS}")
        start = time.perf_counter()
        ours = total_field(scan.echoes, mask=scan.brain)
        seconds = time.perf_counter() - start
        yield _judged(
            scan, case, OURS, ours.field_ppm, seconds, noise_ppm=ours.noise_ppm, mask_dice=dice(own_mask, scan.brain)
        )
        for name, make in RIVALS.items():
            progress(f"{case}: {name}")
            start = time.perf_counter()
            made = make(scan.echoes, scan.brain)
            yield _judged(scan, case, name, made, time.perf_counter() - start)


def scan_errors_ppm(scan: SimulatedScan, field_ppm: FloatArray) -> tuple[np.ndarray, float]:
    """Return the errors of a field ``(x, y, z)`` in a scan's brain, and what it changes by with one turn of phase."""
    times_s = scan.echoes.echo_times_s
    branch_ppm = 1e6 / (GAMMA_HZ_PER_TESLA * scan.echoes.b0_tesla * times_s[-1])
    order = 2 if len(times_s) == 1 else 0
    return errors_ppm(field_ppm, scan.field_ppm, scan.brain, branch_ppm, order=order), branch_ppm


def _judged(
    scan: SimulatedScan,
    case: str,
    method: str,
    field_ppm: FloatArray,
    seconds: float,
    *,
    noise_ppm: FloatArray | None = None,
    mask_dice: float | None = None,
) -> FieldRow:
    """Compare a field ``(x, y, z)``, and its noise where that is estimated, with the truth."""
    error, branch_ppm = scan_errors_ppm(scan, field_ppm)
    return FieldRow(
        case=case,
        method=method,
        **asdict(field_errors(error, branch_ppm)),
        mask_dice=mask_dice,
        within_two_noise_percent=None if noise_ppm is None else within_two_noise_percent(error, noise_ppm[scan.brain]),
        parts=part_errors(error, scan.brain, scan.chi_ppm, scan.label, scan.echoes.grid.voxel_size_mm),
        seconds=seconds,
    )
