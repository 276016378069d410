"""From complex echoes to a susceptibility map: total field, inversion, quality check, fall-back."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np

from recon.engines import deepbet
from recon.engines.choose import EngineAttempt, choose_engine
from recon.errors import MapError
from recon.field.total import total_field
from recon.inversion.methods import Inverted, find_method
from recon.masking.brain import Segmenter
from recon.options import Options
from recon.products.contrasts.relaxation import fit_r2star
from recon.quality.expected_error import expected_error
from recon.quality.figures import judge_quality, quality_figures
from recon.quality.polarity import chi_of_darkest_ppb
from recon.quality.provenance import REFERENCES, provenance
from recon.types import (
    BoolArray,
    FloatArray,
    GradientEcho,
    Grid,
    Reconstruction,
    SusceptibilityMap,
    TotalField,
    Verdict,
)

WARM_UP_SECONDS: Final = MappingProxyType(
    {"total field": 12.0, "inversion": 8.0, "quality": 0.5, "relaxation": 2.0, "brain networks": 2.0}
)
"""The steps of the first warm-up on a machine, and how long each takes on two cores."""

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """One method's map and what the quality check says of it."""

    method: str
    inverted: Inverted
    chi_ppm: FloatArray
    figures: dict[str, float]
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class _Clock:
    """Says which step begins, and notes how many seconds each took."""

    progress: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, name: str, work: Callable[[], _T]) -> _T:
        """Run a step."""
        self.progress(name)
        start = time.perf_counter()
        result = work()
        self.seconds[name] = round(time.perf_counter() - start, 3)
        return result


def reconstruct(
    echoes: GradientEcho,
    *,
    options: Options | None = None,
    mask: BoolArray | None = None,
    segment: Segmenter = deepbet.segment,
    progress: Callable[[str], None] = lambda step: None,
) -> Reconstruction:
    """Reconstruct susceptibility from a gradient-echo acquisition.

    Parameters
    ----------
    echoes
        The acquisition.
    options
        Method and engine.
    mask
        ``(x, y, z)`` bool; found automatically when not given.
    segment
        Networks that find the brain.
    progress
        Told which step begins.

    Returns
    -------
    Reconstruction
        ``susceptibility.chi_ppm`` is ``(x, y, z)`` float32 in ppm, relative to its mean over the mask and zero outside;
        ``verdict`` says whether it can be read, ``expected_error`` how wrong it is expected to be.

    Raises
    ------
    InvalidInputError
        If the data cannot be reconstructed; the message says why.
    MapError
        If neither the method nor the fall-back gives a map.
    ReconError
        If a step fails.
    """
    options, clock = options or Options(), _Clock(progress=progress)
    find_method(options.method)
    total = clock.timed(
        "total field",
        lambda: total_field(echoes, segment=segment, mask=mask, surface_bleeds=options.surface_bleeds),
    )
    attempt, fallen_back = _best_attempt(options, echoes, total, clock)
    figures = {**total.figures, **attempt.figures}
    return Reconstruction(
        susceptibility=SusceptibilityMap(
            chi_ppm=attempt.chi_ppm, mask=total.mask, reference=REFERENCES[total.mask_method], grid=total.grid
        ),
        total_field=total,
        figures=figures,
        verdict=attempt.verdict,
        warnings=(*total.warnings, *attempt.inverted.warnings, *fallen_back, *attempt.verdict.reasons),
        seconds=clock.seconds,
        provenance=provenance(attempt.method, attempt.inverted, echoes, total, options),
        # Whatever failed the check is not a map with an error of some size.
        expected_error=None
        if attempt.verdict.level == "failed"
        else expected_error(figures, attempt.inverted.weights_sha256),
    )


def _best_attempt(
    options: Options, echoes: GradientEcho, total: TotalField, clock: _Clock
) -> tuple[_Attempt, tuple[str, ...]]:
    """Invert by the chosen method and, where its map fails or there is none, by the fall-back; say so then.

    Raises
    ------
    MapError
        If the chosen method gives no map, and the fall-back gives none that passes.
    """
    wanted = options.fallback not in ("", options.method)

    def stand_in(why: str) -> tuple[_Attempt, tuple[str, ...]] | None:
        second = _attempt(options.fallback, options.engine, echoes, total, clock)
        if second.verdict.level == "failed":
            return None
        return second, (f"Made by {second.method}, as the map of {options.method} {why}",)

    try:
        first = _attempt(options.method, options.engine, echoes, total, clock)
    except MapError as missing:
        found = stand_in(f"is missing: {missing}") if wanted else None
        if found is None:
            raise
        return found
    if first.verdict.level != "failed" or not wanted:
        return first, ()
    found = stand_in(f"failed the quality check: {' '.join(first.verdict.reasons)}")
    return found or (first, (f"The fall-back method {options.fallback} failed the quality check too.",))


def _attempt(name: str, engine: str, echoes: GradientEcho, total: TotalField, clock: _Clock) -> _Attempt:
    """Invert by one method and judge the map, relative to its mean over the mask.

    Raises
    ------
    MapError
        If the map is not finite.
    """
    method = find_method(name)
    suffix = f" ({name})" if "inversion" in clock.seconds else ""
    inverted = clock.timed(f"inversion{suffix}", lambda: method(total, engine))
    inside = inverted.chi_ppm[total.mask]
    if not np.isfinite(inside).all():
        raise MapError("the inversion gave values that are not numbers; the map is withheld")
    mean_ppm = float(inside.mean(dtype=np.float64))
    chi = np.where(total.mask, inverted.chi_ppm - mean_ppm, 0.0).astype(np.float32)
    figures = clock.timed(f"quality{suffix}", lambda: _figures(chi, total, inverted.device))
    figures["reference_mean_ppb"] = mean_ppm * 1e3
    if (darkest := chi_of_darkest_ppb(chi, total.mask, echoes)) is not None:
        figures["chi_of_darkest_ppb"] = darkest
    return _Attempt(
        method=name,
        inverted=inverted,
        chi_ppm=chi,
        figures=figures,
        verdict=judge_quality({**total.figures, **figures}),
    )


def _figures(chi_ppm: FloatArray, total: TotalField, device: str) -> dict[str, float]:
    """Return the figures of a map, computed where it was made; on the CPU if a GPU fails meanwhile."""
    try:
        return quality_figures(chi_ppm, total, device)
    except RuntimeError as failure:
        if device == "cpu":
            raise
        _LOG.warning("the figures of the map are computed on the CPU, as %s failed: %s", device, failure)
        return quality_figures(chi_ppm, total)


def warm_up(options: Options, progress: Callable[[str], None] = lambda step: None) -> tuple[EngineAttempt, ...]:
    """Load the networks and compile what is compiled at first use, so that no patient waits for it.

    ``progress`` is told which of ``WARM_UP_SECONDS`` begins.

    Returns
    -------
    tuple of EngineAttempt
        What became of each engine; empty for a method without one.
    """
    echoes, inside = _ball()
    reconstruct(echoes, options=replace(options, fallback=""), mask=inside, progress=progress)
    progress("relaxation")
    fit_r2star(echoes.magnitude, echoes.echo_times_s, inside, noise=1.0)
    progress("brain networks")
    deepbet.load_networks()
    return choose_engine(options.engine).attempts if options.method == "network" else ()


def _ball() -> tuple[GradientEcho, BoolArray]:
    """Return a small noisy ball, which reaches every compiled kernel, and its mask: no field fits the core's phase."""
    shape, times_s, random = (48, 40, 32), (0.004, 0.008, 0.012, 0.016, 0.020), np.random.default_rng(1)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = x**2 + y**2 + z**2
    turns = np.stack([127.7 * 0.1 * x * y * t for t in times_s])
    signal = np.where(radius < 0.8, 100.0, 1.0) * np.exp(2j * math.pi * turns)
    signal[:, radius < 0.05] *= np.array([1, 1, -1, -1, 1])[:, None]
    signal += random.standard_normal(signal.shape) + 1j * random.standard_normal(signal.shape)
    echoes = GradientEcho(
        magnitude=np.abs(signal).astype(np.float32),
        phase_rad=np.angle(signal).astype(np.float32),
        echo_times_s=times_s,
        b0_tesla=3.0,
        grid=Grid(shape=shape, voxel_size_mm=(4.0, 4.0, 4.0), b0_direction=(0.0, 0.0, 1.0)),
    )
    return echoes, radius < 0.8
