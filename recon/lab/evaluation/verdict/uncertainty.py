"""The uncertainty of voxels studied: whether as many errors lie within it as it says.

Scans as in the study of the verdict are reconstructed as they are and with a fault, and voxels of each map are
sampled: what :mod:`recon.network.error_pattern` knows of them, and their true error. Samples are kept per head. The
heads are not those that the expected error is fitted and judged on: on these it would be better than it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

import numpy as np
from scipy import optimize

from recon.errors import InvalidInputError, MapError
from recon.lab.evaluation.fingerprint import WITHOUT, code_fingerprint, meaning
from recon.lab.evaluation.verdict.study import RememberedSegmenter
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.draw.study_scans import FIRST_SEED, draw_study_head
from recon.lab.simulation.faults.table import draw_fault, spoiled
from recon.lab.simulation.field import head_field
from recon.lab.simulation.head import LESION_LABEL, NUCLEUS_LABEL, VEIN_LABEL
from recon.lab.simulation.scan import SimulatedScan, scan_of
from recon.lab.simulation.template import load_template
from recon.network.error_pattern import CLUES, ErrorPattern, error_clues
from recon.network.weights import load_weights
from recon.options import Options
from recon.pipeline import reconstruct
from recon.quality.expected_error import shipped_model
from recon.types import FloatArray, GradientEcho, Reconstruction

_FIRST_HEAD = 1000
"""Number of the first head in the study of the verdict, beyond all heads of that."""
_FAULT_STREAM = 2
_SAMPLED, _SAMPLED_OF_MASK = 2000, 5000
REGIONS: Final[Mapping[str, tuple[int, ...]]] = {
    "brain": (),
    "deep grey nuclei": tuple(NUCLEUS_LABEL.values()),
    "veins": (VEIN_LABEL,),
    "lesions": tuple(LESION_LABEL.values()),
}
"""Where errors are counted, with labels of the simulated head; without any, everywhere."""
AS_IT_IS = "as it is"
_FREEDOM = 4.0
"""Degrees of freedom of Student's t, whose tails are those of the errors, in the fit."""
_REGION_WEIGHT = 0.3
"""Weight of a voxel that was drawn from nuclei, veins or lesions, beside one drawn from the whole brain."""
_COVERED = 95.0
_EXTREMES = (0.1, 99.9)


@dataclass(frozen=True, kw_only=True)
class VoxelSample:
    """Voxels of one map.

    Parameters
    ----------
    head
        Number of the head.
    fault
        Kind of fault, or :data:`AS_IT_IS`.
    expected_ppb
        Error expected of the brain.
    region
        ``(voxel,)`` number of the region that a voxel was drawn from, in the order of :data:`REGIONS`.
    clues
        ``(clue, voxel)`` float32, as :func:`recon.network.error_pattern.error_clues` returns them.
    mask_clues
        ``(clue, voxel)``, those of a fair sample of the map's mask.
    error_ppb
        ``(voxel,)`` float32; map and truth have no mean over the brain.
    """

    head: int
    fault: str
    expected_ppb: float
    region: np.ndarray
    clues: FloatArray
    mask_clues: FloatArray
    error_ppb: FloatArray

    def of_region(self, number: int) -> tuple[FloatArray, FloatArray]:
        """Return clues and errors of the voxels drawn from one region."""
        chosen = self.region == number
        return self.clues[:, chosen], self.error_ppb[chosen]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How many errors lie within one and two stated standard deviations in a region, over all maps and in the worst.

    ``uncertainty_ppb`` and ``error_ppb`` are root mean squares of what is stated and of the errors.
    """

    region: str
    maps: int
    within_one_percent: float
    within_two_percent: float
    worst_two_percent: float
    uncertainty_ppb: float
    error_ppb: float


def sampled_voxels(
    heads: Iterable[int], folder: Path, purpose: Purpose, engine: str, say: Callable[[str], None]
) -> Iterator[VoxelSample]:
    """Yield samples of the maps of heads; those that this code made before are read from the folder."""
    made_by = _made_by(purpose, engine)
    folder.mkdir(parents=True, exist_ok=True)
    for head in heads:
        path = folder / f"{purpose.name.lower()}-{head:03d}.npz"
        samples = _kept(path, made_by)
        if samples is None:
            samples = list(_of_head(head, purpose, engine, say))
            _keep(path, made_by, samples)
        yield from samples


def _made_by(purpose: Purpose, engine: str) -> str:
    """Name all that samples depend on."""
    code = f"{code_fingerprint(without=WITHOUT)} {meaning(Path(__file__).read_text())}"
    parts = (purpose.name, engine, code, load_weights().sha256, expected_error_sha256())
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def expected_error_sha256() -> str:
    """Return the hash of the shipped model of the expected error."""
    return hashlib.sha256(shipped_model().read_bytes()).hexdigest()


def _keep(path: Path, made_by: str, samples: Sequence[VoxelSample]) -> None:
    arrays = {f"{n}-{name}": value for n, one in enumerate(samples) for name, value in vars(one).items()}
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(unfinished, made_by=made_by, count=len(samples), **arrays)
    unfinished.replace(path)


def _kept(path: Path, made_by: str) -> list[VoxelSample] | None:
    if not path.exists():
        return None
    with np.load(path) as kept:
        if str(kept["made_by"]) != made_by:
            return None
        names = [field.name for field in fields(VoxelSample)]
        arrays = [{name: kept[f"{n}-{name}"] for name in names} for n in range(int(kept["count"]))]
    return [VoxelSample(**{name: v if v.ndim else v.item() for name, v in one.items()}) for one in arrays]


def _of_head(head: int, purpose: Purpose, engine: str, say: Callable[[str], None]) -> Iterator[VoxelSample]:
    """Simulate a head, and sample the maps of its scans, each as it is and with a fault."""
    say(f"head {head}: simulating")
    plan = draw_study_head(_FIRST_HEAD + head, purpose)
    made = head_field(plan.head, plan.scans[0], load_template())
    streams = generator(purpose, FIRST_SEED + _FIRST_HEAD + head).spawn(1 + _FAULT_STREAM)
    rng, options = streams[_FAULT_STREAM], Options(method="network", engine=engine, fallback="")
    for number, scan_plan in enumerate(plan.scans):
        scan, segment = scan_of(made, scan_plan), RememberedSegmenter()
        fault = draw_fault(rng, echoes=len(scan_plan.echo_times_s))
        for echoes, name in ((scan.echoes, AS_IT_IS), (spoiled(scan.echoes, fault), fault.kind)):
            say(f"head {head}, scan {number}: {name}")
            result = _reconstructed(echoes, options, segment)
            if result is not None and result.expected_error is not None:
                yield sample_of(result, scan, rng, head=head, fault=name)


def _reconstructed(echoes: GradientEcho, options: Options, segment: RememberedSegmenter) -> Reconstruction | None:
    try:
        return reconstruct(echoes, options=options, segment=segment)
    except (InvalidInputError, MapError):
        return None


def sample_of(
    result: Reconstruction, scan: SimulatedScan, rng: np.random.Generator, *, head: int = 0, fault: str = AS_IT_IS
) -> VoxelSample:
    """Return a sample of a map's voxels in the true brain, from each region, and of those of the mask."""
    expected, mask = result.expected_error, result.total_field.mask
    assert expected is not None
    chi, inside = result.susceptibility.chi_ppm, mask & scan.brain
    every = error_clues(chi, result.total_field)
    clues, of_mask = (
        every[:, scan.brain[mask]],
        rng.choice(every.shape[1], min(_SAMPLED_OF_MASK, every.shape[1]), False),
    )
    found, truth = chi[inside].astype(np.float64), scan.chi_ppm[inside].astype(np.float64)
    error_ppb = 1e3 * (found - found.mean() - truth + truth.mean())
    chosen, region = [], []
    for number, labels in enumerate(REGIONS.values()):
        voxels = np.flatnonzero(np.isin(scan.label[inside], labels)) if labels else np.arange(len(found))
        chosen.append(rng.choice(voxels, min(_SAMPLED, len(voxels)), replace=False))
        region.append(np.full(len(chosen[-1]), number))
    drawn = np.concatenate(chosen)
    return VoxelSample(
        head=head,
        fault=fault,
        expected_ppb=expected.brain_ppb,
        region=np.concatenate(region),
        clues=clues[:, drawn],
        mask_clues=every[:, of_mask],
        error_ppb=error_ppb[drawn].astype(np.float32),
    )


def fit_pattern(samples: Sequence[VoxelSample], weights_sha256: str) -> ErrorPattern:
    """Fit the pattern on samples of tuning heads: the likeliest slopes, and a factor that covers 95 of 100 errors.

    How large the errors of a map are on the whole is left to the error expected of it: each map has a constant of its
    own in the fit of the slopes.

    Raises
    ------
    InvalidInputError
        If there are no maps.
    """
    if not samples:
        raise InvalidInputError("no map to fit on: all scans were refused or failed")
    slopes = {name: float(slope) for name, slope in zip(CLUES, _likeliest_slopes(samples), strict=True)}
    free = ErrorPattern(
        weights_sha256=weights_sha256,
        expected_error_sha256=expected_error_sha256(),
        slopes=slopes,
        factor=1.0,
        least=0.0,
        most=np.inf,
        scans=len(samples),
    )
    every = np.concatenate([free.of(one.clues, one.mask_clues) for one in samples])
    least, most = (float(value) for value in np.percentile(every, _EXTREMES))
    limited, ratios = replace(free, least=least, most=most), []
    for one in samples:
        clues, error_ppb = one.of_region(0)
        ratios.append(np.abs(error_ppb) / (one.expected_ppb * limited.of(clues, one.mask_clues)))
    return replace(limited, factor=float(np.percentile(np.concatenate(ratios), _COVERED)) / 2)


def _likeliest_slopes(samples: Sequence[VoxelSample]) -> np.ndarray:
    """Return the slopes at which the errors, by Student's t, are likeliest."""
    every = np.concatenate([one.clues for one in samples], axis=1)
    relative = np.concatenate([one.error_ppb / float(one.of_region(0)[1].std()) for one in samples])
    weight = np.concatenate([np.where(one.region == 0, 1.0, _REGION_WEIGHT) for one in samples])
    number = np.repeat(np.arange(len(samples)), [len(one.error_ppb) for one in samples])
    weight /= weight.sum()

    def unlikeliness(values: np.ndarray) -> tuple[float, np.ndarray]:
        log_width = values[: len(CLUES)] @ every + values[len(CLUES) :][number]
        square = relative**2 * np.exp(-2 * log_width) / _FREEDOM
        each = log_width + 0.5 * (_FREEDOM + 1) * np.log1p(square)
        slope = weight * (1 - (_FREEDOM + 1) * square / (1 + square))
        return float(weight @ each), np.concatenate([every @ slope, np.bincount(number, slope, len(samples))])

    start = np.zeros(len(CLUES) + len(samples))
    found = optimize.minimize(unlikeliness, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    if not found.success:
        raise InvalidInputError(f"the fit of the pattern did not end: {found.message}")
    return np.asarray(found.x[: len(CLUES)])


def coverage(samples: Sequence[VoxelSample], pattern: ErrorPattern) -> list[Coverage]:
    """Count errors within one and two stated standard deviations, by region."""
    rows = []
    for number, region in enumerate(REGIONS):
        ratios, stated, errors = [], [], []
        for one in samples:
            clues, error_ppb = one.of_region(number)
            if len(error_ppb):
                stated.append(pattern.of(clues, one.mask_clues) * one.expected_ppb)
                ratios.append(np.abs(error_ppb) / stated[-1])
                errors.append(error_ppb)
        if ratios:
            rows.append(_row(region, ratios, stated, errors))
    return rows


def _row(region: str, ratios: list[np.ndarray], stated: list[np.ndarray], errors: list[np.ndarray]) -> Coverage:
    every = np.concatenate(ratios)
    return Coverage(
        region=region,
        maps=len(ratios),
        within_one_percent=float(100 * np.mean(every <= 1)),
        within_two_percent=float(100 * np.mean(every <= 2)),
        worst_two_percent=float(min(100 * np.mean(ratio <= 2) for ratio in ratios)),
        uncertainty_ppb=_root_mean_square(stated),
        error_ppb=_root_mean_square(errors),
    )


def _root_mean_square(parts: list[np.ndarray]) -> float:
    return float(np.sqrt(np.mean(np.concatenate(parts) ** 2)))
