"""Error of the total field on simulated scans whose field is known, beside simpler ways to compute it."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from recon.engines.deepbet import segment
from recon.field.total import total_field
from recon.lab.evaluation.rivals import laplacian_field, skimage_field
from recon.lab.simulation.draw.cases import subject_number
from recon.lab.simulation.scan import SimulatedScan, simulate_case
from recon.types import GAMMA_HZ_PER_TESLA, BoolArray, FloatArray, GradientEcho

OURS = "ours"
RIVALS = {"skimage per echo": skimage_field, "laplacian": laplacian_field}


@dataclass(frozen=True, kw_only=True)
class FieldErrors:
    """Error of a field in the judged voxels.

    Parameters
    ----------
    wrap_errors_percent
        Share of them whose field is nearer to a wrong branch of 2π than to the true one.
    rms_ppb, p99_ppb
        Root mean square and 99th percentile of the error, a constant removed.
    """

    wrap_errors_percent: float
    rms_ppb: float
    p99_ppb: float


@dataclass(frozen=True, kw_only=True)
class FieldRow(FieldErrors):
    """One way on one case, judged in the true brain; for a single echo without the smooth receive phase.

    Parameters
    ----------
    case, method
        Names.
    mask_dice
        Dice of the mask against the true brain; None where the true one was handed in.
    seconds
        Wall-clock time from the echoes to the field, without warm-up.
    """

    case: str
    method: str
    mask_dice: float | None
    seconds: float


def field_errors(
    field_ppm: FloatArray, truth_ppm: FloatArray, region: BoolArray, branch_ppm: float, *, order: int = 0
) -> FieldErrors:
    """Compare a field with the truth.

    Parameters
    ----------
    field_ppm, truth_ppm
        ``(x, y, z)``.
    region
        ``(x, y, z)`` bool, voxels to judge.
    branch_ppm
        What the field changes by when the phase of the last echo changes by 2π; an error of more than half of it is a
        wrap error.
    order
        Order of the polynomial in space that is no error: 0 removes a constant; 2 also what no single echo can tell
        from receive phase. It is fitted to voxels without a wrap error.
    """
    error = field_ppm[region].astype(np.float64) - truth_ppm[region]
    error -= np.median(error)
    for _ in range(2):
        error -= _smooth_part(error, region, np.abs(error) < 0.5 * branch_ppm, order)
    size = np.abs(error)
    return FieldErrors(
        wrap_errors_percent=float(100 * np.mean(size > 0.5 * branch_ppm)),
        rms_ppb=float(1e3 * math.sqrt(np.mean(error**2))),
        p99_ppb=float(1e3 * np.percentile(size, 99)),
    )


def _smooth_part(error: np.ndarray, region: BoolArray, trusted: np.ndarray, order: int) -> np.ndarray:
    """Return the least-squares polynomial of an error given at the voxels of a region."""
    places = np.argwhere(region).astype(np.float64) / np.asarray(region.shape).max() - 0.5
    powers = [np.array(p) for p in itertools.product(range(order + 1), repeat=3) if sum(p) <= order]
    basis = np.stack([np.prod(places**p, axis=1) for p in powers], axis=1)
    normal = basis[trusted].T @ basis[trusted]
    part: np.ndarray = basis @ np.linalg.lstsq(normal, basis[trusted].T @ error[trusted], rcond=None)[0]
    return part


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
        Keys of :data:`recon.lab.simulation.draw.cases.CASES`.
    seed
        Number of the evaluation: another one takes another head for every case.
    voxel_size_mm
        Smallest voxel edge, for a quick look; the case's own when not given.
    progress
        Called with what is being done.

    Raises
    ------
    InvalidInputError
        If there is no such case, or scikit-image is missing.
    """
    for case in cases:
        progress(f"{case}: simulating")
        scan = simulate_case(case, subject_number(case, seed), voxel_size_mm=voxel_size_mm)
        progress(f"{case}: our mask")
        own_mask = total_field(scan.echoes, segment=segment).mask
        yield _judged(scan, case, OURS, _our_field, mask_dice=dice(own_mask, scan.brain), progress=progress)
        for name, make in RIVALS.items():
            yield _judged(scan, case, name, make, mask_dice=None, progress=progress)


def _our_field(echoes: GradientEcho, mask: BoolArray) -> FloatArray:
    """Return the total field of the product."""
    return total_field(echoes, mask=mask).field_ppm


def _judged(
    scan: SimulatedScan,
    case: str,
    method: str,
    make: Callable[[GradientEcho, BoolArray], FloatArray],
    *,
    mask_dice: float | None,
    progress: Callable[[str], None],
) -> FieldRow:
    """Make a field and compare it with the truth."""
    progress(f"{case}: {method}")
    start = time.perf_counter()
    made = make(scan.echoes, scan.brain)
    seconds = time.perf_counter() - start
    times_s = scan.echoes.echo_times_s
    branch_ppm = 1e6 / (GAMMA_HZ_PER_TESLA * scan.echoes.b0_tesla * times_s[-1])
    errors = field_errors(made, scan.field_ppm, scan.brain, branch_ppm, order=2 if len(times_s) == 1 else 0)
    return FieldRow(case=case, method=method, **asdict(errors), mask_dice=mask_dice, seconds=seconds)
