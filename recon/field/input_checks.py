"""Faults of the acquisition or its export: those that would make a map wrong without a trace are refused.

Those that only limit it are named in a warning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon.errors import InvalidInputError
from recon.field.constants import FIELD
from recon.types import BoolArray, FloatArray, GradientEcho

LEAST_SLICES = 5
"""Least voxels along each axis: fewer hold no three-dimensional field, and with four no voxel is left on which the map
can be checked against it."""
_PLANES = 48
"""Central planes that statistics are taken from: enough for all of them, and quick."""
_SAMPLES = 25_000
"""Voxels that a single number is found from."""
_LEAST_STEPS = 48
"""Fewest values of the phase: rounding to 0.13 rad leaves as much noise as an SNR of 26."""
_LIT_SHARE = 0.1
"""Brightest voxel of a slice over that of the volume from which on the slice holds an image."""
_SHORT_TURN = 0.97
"""Range of the phase over a turn below which it may have been read wrong."""
_WRAP_SHARE, _LEAST_WRAPS = 0.8, 2e-4
"""Step between neighbours over that range that is a wrap, and the share of wraps that head or noise always hold."""


@dataclass(frozen=True, kw_only=True)
class _Range:
    """Smallest and largest value in each slice of each echo, ``(echo, slice)``."""

    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, volumes: FloatArray) -> _Range:
        return cls(low=volumes.min(axis=(1, 2)), high=volumes.max(axis=(1, 2)))


def _refuse_values(echoes: GradientEcho, magnitude: _Range, phase: _Range) -> None:
    for name, volumes, ranges in (("magnitude", echoes.magnitude, magnitude), ("phase", echoes.phase_rad, phase)):
        for e, volume in enumerate(volumes):
            low, high = float(ranges.low[e].min()), float(ranges.high[e].max())
            if not np.isfinite(low + high):
                bad = int(volume.size - np.isfinite(volume).sum())
                raise InvalidInputError(
                    f"{name} of echo {e + 1} has {bad} voxels that are NaN or infinite: expected finite numbers"
                )
            if low == high:
                raise InvalidInputError(
                    f"{name} of echo {e + 1} is {low:g} in every voxel: the image is empty, or a phase difference "
                    "was stored against it; send the phase of every echo"
                )
    if float(magnitude.low.min()) < 0:
        raise InvalidInputError("magnitude has negative values: expected zero or more; is it a real part?")
    if (largest := float(np.maximum(-phase.low, phase.high).max())) > 4 * np.pi:
        raise InvalidInputError(
            f"phase reaches {largest:.1f}: expected wrapped radians in -π to π; was the rescale slope applied?"
        )


def _refuse_copies(echoes: GradientEcho) -> None:
    for e in range(1, len(echoes.echo_times_s)):
        before, own = echoes.phase_rad[e - 1], echoes.phase_rad[e]
        middle = len(own) // 2
        if np.array_equal(own[middle], before[middle]) and np.array_equal(own, before):
            raise InvalidInputError(
                f"phase of echoes {e} and {e + 1} is the same image: one phase, perhaps a phase difference, was "
                "filed under both echoes; send the phase of every echo"
            )


def _refuse_coarse_phase(echoes: GradientEcho) -> None:
    """Raise if the phase has so few values that rounding hides the field."""
    for e, phase in enumerate(echoes.phase_rad, start=1):
        steps = len(np.unique(phase.ravel()[:: max(1, phase.size // _SAMPLES)]))
        if steps < _LEAST_STEPS:
            raise InvalidInputError(
                f"the phase of echo {e} has {steps} different values: it was stored too coarsely to hold a field"
            )


def _refuse_lost_slices(magnitude: _Range, phase: _Range) -> None:
    """Raise if the images of single slices are missing: dark between bright ones, or of one phase."""
    for e, brightest in enumerate(magnitude.high):
        lit = brightest > _LIT_SHARE * brightest.max()
        first, last = np.flatnonzero(lit)[[0, -1]]
        dark = int(np.count_nonzero(brightest[first : last + 1] == 0))
        flat = int(np.count_nonzero(lit & (phase.high[e] == phase.low[e])))
        for name, count in (("magnitude is zero", dark), ("phase is the same everywhere", flat)):
            if count:
                raise InvalidInputError(
                    f"the {name} in {count} slices of echo {e + 1} between others that hold an image: images were "
                    "lost or replaced; send the series again"
                )


def _refuse_short_turn(echoes: GradientEcho, phase: _Range) -> None:
    """Raise if the phase wraps at less than a turn: its range was read wrong."""
    for e, (magnitude, volume) in enumerate(zip(echoes.magnitude, echoes.phase_rad, strict=True)):
        span = float(phase.high[e].max()) - float(phase.low[e].min())
        if span > _SHORT_TURN * 2 * np.pi:
            continue
        strong = magnitude > np.percentile(magnitude, 75)
        both = strong[1:] & strong[:-1]
        wraps = float(np.mean(np.abs(np.diff(volume, axis=0))[both] > _WRAP_SHARE * span)) if both.any() else 0.0
        if wraps > _LEAST_WRAPS:
            raise InvalidInputError(
                f"the phase of echo {e + 1} wraps at {span:.2f} rad, expected 2π: its range was stated or read wrong"
            )


def refuse_unusable(echoes: GradientEcho, mask: BoolArray | None) -> None:
    """Raise where arrays hold nothing that can be reconstructed.

    Raises
    ------
    InvalidInputError
        Volume too thin, numbers not finite, constant images, echoes copied, mask of another shape or
        empty.
    """
    shape = echoes.grid.shape
    if min(shape) < LEAST_SLICES:
        raise InvalidInputError(
            f"volume of {shape[0]} x {shape[1]} x {shape[2]} voxels: expected at least {LEAST_SLICES} along each axis; "
            "susceptibility needs a three-dimensional acquisition"
        )
    magnitude, phase = _Range.of(echoes.magnitude), _Range.of(echoes.phase_rad)
    _refuse_values(echoes, magnitude, phase)
    _refuse_copies(echoes)
    _refuse_coarse_phase(echoes)
    _refuse_lost_slices(magnitude, phase)
    _refuse_short_turn(echoes, phase)
    if mask is None:
        return
    if mask.shape != shape or mask.dtype != np.bool_:
        raise InvalidInputError(f"mask is {mask.dtype} of shape {mask.shape}: expected bool of shape {shape}")
    if not mask.any():
        raise InvalidInputError("the given mask is empty: expected voxels of the brain")
    if not echoes.magnitude[:, mask].any():
        raise InvalidInputError("magnitude is zero in the whole mask: expected signal where the field is wanted")


def _neighbour_coherence(echoes: GradientEcho, mask: BoolArray, axis: int) -> float:
    """Return the magnitude-weighted mean cosine of the phase step along an axis, first echo, on every second line."""
    low, high = _pair(axis)
    weight = echoes.magnitude[0][low] * echoes.magnitude[0][high] * (mask[low] & mask[high])
    step = np.cos(echoes.phase_rad[0][high] - echoes.phase_rad[0][low])
    return float((weight * step).sum(dtype=np.float64) / max(float(weight.sum(dtype=np.float64)), 1e-30))


def _pair(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    low, high = [slice(None, None, 2)] * 3, [slice(None, None, 2)] * 3
    low[axis], high[axis] = slice(None, -1), slice(1, None)
    return tuple(low), tuple(high)


def refuse_slice_chopper(echoes: GradientEcho, head: BoolArray) -> None:
    """Raise if the phase jumps by π from slice to slice.

    Some scanners store every second slice with opposite sign, to be undone when it is read. Left as
    it is, or undone where it was not there, neighbouring slices are in antiphase: the mean cosine of
    the step is negative, while no shimmed field turns a whole head by half a turn per slice.

    Raises
    ------
    InvalidInputError
        Naming the axis.
    """
    for axis, name in enumerate("xyz"):
        coherence = _neighbour_coherence(echoes, head, axis)
        if coherence < FIELD.alternating_cosine:
            raise InvalidInputError(
                f"phase jumps by about π between neighbouring planes along {name} (mean cosine of the step "
                f"{coherence:.2f}, expected above 0): every second slice has the opposite sign; the vendor's slice "
                "alternation was not undone, or undone twice"
            )


def _is_empty_at_the_rim(power: FloatArray) -> float:
    """Return the share of a spectrum (its peak in the middle) that is empty, counted from the rim inward."""
    n = power.size
    half = n // 2
    # Positive and negative frequencies together: partial Fourier leaves one side empty without interpolation.
    both = np.maximum(power[half : half + (n - half)], power[half - (n - half) + 1 : half + 1][::-1])
    level = float(np.median(both[len(both) // 4 : len(both) // 2]))
    empty = both < FIELD.empty_power_share * level
    run = int(np.argmin(empty[::-1])) if not empty.all() else 0
    return run / len(both)


def zero_filling(echoes: GradientEcho) -> tuple[str, ...]:
    """Return a warning for each axis along which the image was interpolated by zero-filled k-space."""
    warnings = []
    sample = tuple(slice(max(0, n // 2 - _PLANES // 2), n // 2 + _PLANES // 2) for n in echoes.grid.shape)
    for axis, name in enumerate("xyz"):
        size = echoes.grid.shape[axis]
        if size < 16:
            continue
        lines = tuple(slice(None) if a == axis else s for a, s in enumerate(sample))
        signal = echoes.magnitude[0][lines] * np.exp(1j * echoes.phase_rad[0][lines])
        spectrum = np.abs(np.fft.fftshift(np.fft.fft(signal, axis=axis), axes=axis)) ** 2
        power = spectrum.mean(axis=tuple(a for a in range(3) if a != axis))
        share = _is_empty_at_the_rim(power)
        if share >= FIELD.zero_filled_share:
            voxel = echoes.grid.voxel_size_mm[axis]
            warnings.append(
                f"The image was interpolated along {name}: voxels of {voxel:.2f} mm from an acquisition of about "
                f"{voxel / (1 - share):.2f} mm (empty rim of k-space)."
            )
    return tuple(warnings)


def refuse_phase_difference(
    offset_rad: FloatArray, field_rad_per_s: FloatArray, region: BoolArray, longest_s: float
) -> None:
    """Refuse echoes that are differences to another echo: their common offset is then ``-TE_missing · field``.

    A receive phase does not know the field, so an offset that turns with it, for one and the same time in the whole
    region, reveals the subtraction.

    Parameters
    ----------
    offset_rad, field_rad_per_s
        ``(x, y, z)`` phase offset that the echoes share, and their field.
    region
        ``(x, y, z)`` bool, the brain, or the head where no brain is known.
    longest_s
        Longest echo time; a missing one is looked for up to this.

    Raises
    ------
    InvalidInputError
        If the offset is explained by a time.
    """
    step = max(7, int(np.count_nonzero(region)) // _SAMPLES)
    offset, field = offset_rad[region][::step], field_rad_per_s[region][::step]
    if offset.size < 100:
        return
    times_s = np.linspace(0.0, longest_s, 80)
    phasors, step_on = np.exp(1j * offset.astype(float)), np.exp(1j * times_s[1] * field.astype(float))
    turned = []
    for _ in times_s:
        turned.append(float(np.abs(np.mean(phasors))))
        phasors *= step_on
    best = int(np.argmax(turned))
    # Explained means: little is left, and far less than of the offset as it is.
    if times_s[best] < 1e-3 or turned[0] > FIELD.unexplained_spread:
        return
    if 1 - turned[best] > FIELD.left_by_missing_echo * (1 - turned[0]):
        return
    raise InvalidInputError(
        f"The phase of every echo seems to be a difference to an echo at {times_s[best] * 1e3:.1f} ms that is not "
        "among them; expected the phase of each echo itself. Store the phase images without subtraction."
    )
