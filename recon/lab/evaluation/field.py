"""Error of the total field on simulated scans whose field is known, beside simpler ways to compute it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from recon.engines.deepbet import segment
from recon.errors import InvalidInputError
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
from recon.types import GAMMA_HZ_PER_TESLA, BoolArray, FloatArray, TotalField

OURS = "ours"
RIVALS = {"skimage per echo": skimage_field, "laplacian": laplacian_field}


@dataclass(frozen=True, kw_only=True)
class FieldRow(FieldErrors):
    """One way on one case, judged in those voxels of the true brain to which ours gives a field.

    For a single echo it is judged without the smooth receive phase.

    Parameters
    ----------
    case, method
        Names.
    left_out_percent
        Share of the true brain that ours leaves out and no row is judged in; None for the others, which fill it.
    mask_dice
        Dice of the mask against the true brain; None where the true one was handed in.
    noise_ppb
        Median of the estimated noise; None where none is estimated.
    within_two_noise_percent
        Share of the errors within two standard deviations of the estimated noise; None where none is estimated.
    parts
        The errors by depth below the brain's surface and by distance from strong sources and lesions.
    seconds
        Wall-clock time from the echoes to the field, without warm-up.
    """

    case: str
    method: str
    left_out_percent: float | None
    mask_dice: float | None
    noise_ppb: float | None
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

    All three are given the true brain, and judged on the same voxels of it; of our own mask of the same echoes only
    the Dice counts.

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
        judged = scan.brain & ours.mask
        yield _judged(
            scan, judged, case, OURS, ours.field_ppm, seconds, ours=ours, mask_dice=dice(own_mask, scan.brain)
        )
        for name, make in RIVALS.items():
            progress(f"{case}: {name}")
            start = time.perf_counter()
            made = make(scan.echoes, scan.brain)
            yield _judged(scan, judged, case, name, made, time.perf_counter() - start)


def scan_errors_ppm(scan: SimulatedScan, judged: BoolArray, field_ppm: FloatArray) -> tuple[np.ndarray, float]:
    """Return the errors of a field ``(x, y, z)`` in the judged voxels, and what one turn of the phase changes it by.

    Raises
    ------
    InvalidInputError
        If no voxel is judged.
    """
    if not judged.any():
        raise InvalidInputError("the field has no value anywhere in the true brain")
    times_s = scan.echoes.echo_times_s
    branch_ppm = 1e6 / (GAMMA_HZ_PER_TESLA * scan.echoes.b0_tesla * times_s[-1])
    order = 2 if len(times_s) == 1 else 0
    return errors_ppm(field_ppm, scan.field_ppm, judged, branch_ppm, order=order), branch_ppm


def left_out_percent(judged: BoolArray, brain: BoolArray) -> float:
    """Return the share of the true brain that is not judged."""
    return float(100 * (1 - judged.sum() / brain.sum()))


def _judged(
    scan: SimulatedScan,
    judged: BoolArray,
    case: str,
    method: str,
    field_ppm: FloatArray,
    seconds: float,
    *,
    ours: TotalField | None = None,
    mask_dice: float | None = None,
) -> FieldRow:
    """Compare a field ``(x, y, z)``, and what ours says of itself, with the truth."""
    error, branch_ppm = scan_errors_ppm(scan, judged, field_ppm)
    noise_ppm = None if ours is None else ours.noise_ppm[judged]
    return FieldRow(
        case=case,
        method=method,
        **asdict(field_errors(error, branch_ppm)),
        left_out_percent=None if ours is None else left_out_percent(judged, scan.brain),
        mask_dice=mask_dice,
        noise_ppb=None if noise_ppm is None else float(1e3 * np.median(noise_ppm)),
        within_two_noise_percent=None if noise_ppm is None else within_two_noise_percent(error, noise_ppm),
        parts=part_errors(error, scan.brain, judged, scan.chi_ppm, scan.label, scan.echoes.grid.voxel_size_mm),
        seconds=seconds,
    )
