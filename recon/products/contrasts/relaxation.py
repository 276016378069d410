"""The effective transverse relaxation rate R2* from the decay of the magnitude.

Three steps, all voxels at once: the noise level from the background of the magnitude or its grain; a weighted
log-linear fit of the echoes above the noise floor; a non-linear least-squares refinement of

    ``m(TE)² = S0² exp(-2 TE R2*) + 2 σ²``,

the second moment of Rician noise, so that late echoes that have sunk into the floor do not flatten the decay.
"""

from __future__ import annotations

import numpy as np

from recon.errors import InvalidInputError
from recon.field.noise import magnitude_noise
from recon.operators.slabs import compiled, in_slabs
from recon.products.contrasts.constants import CONTRAST
from recon.products.types import Contrast
from recon.types import BoolArray, FloatArray, GradientEcho, Reconstruction

_LARGEST_PER_S, _FLOOR_SIGMAS = CONTRAST.largest_r2star_per_s, CONTRAST.noise_floor_sigmas
_STEPS = CONTRAST.refinement_steps


def fit_r2star(magnitude: FloatArray, echo_times_s: tuple[float, ...], mask: BoolArray, noise: float) -> FloatArray:
    """Return R2* in 1/s, ``(x, y, z)`` float32; zero outside the mask and where no echo exceeds the noise.

    Parameters
    ----------
    magnitude
        ``(echo, x, y, z)`` float32.
    echo_times_s
        One per echo, two or more.
    mask
        ``(x, y, z)`` bool.
    noise
        Standard deviation of the noise of one channel, in units of the magnitude.
    """
    result: FloatArray = np.zeros(mask.shape, np.float32)
    times = np.asarray(echo_times_s, np.float64)
    in_slabs(_fit_slab, mask.shape[0], np.ascontiguousarray(magnitude), times, mask, float(noise), result)
    return result


@compiled
def _fit_slab(
    start: int, stop: int, magnitude: FloatArray, times: np.ndarray, mask: BoolArray, noise: float, result: FloatArray
) -> None:
    """Fit every voxel of a slab."""
    count = times.size
    echoes = np.empty(count)
    for i in range(start, stop):
        for j in range(mask.shape[1]):
            for k in range(mask.shape[2]):
                if mask[i, j, k]:
                    for e in range(count):
                        echoes[e] = magnitude[e, i, j, k]
                    amplitude, rate = _log_linear(echoes, times, noise)
                    if amplitude != 0.0:
                        result[i, j, k] = _refine(echoes, times, noise, amplitude, rate)


@compiled
def _log_linear(echoes: np.ndarray, times: np.ndarray, noise: float) -> tuple[float, float]:
    """Return amplitude and rate of the weighted line through the logarithms; amplitude 0 if there is no signal.

    An echo that sank into the noise floor, and all after it, stay out. Where only the first rises above the floor,
    the decay is taken to reach the floor at the second: the least rate that is possible.
    """
    s0, s1, s2, t0, t1 = 0.0, 0.0, 0.0, 0.0, 0.0
    used = 0
    floor = _FLOOR_SIGMAS * noise
    for e in range(times.size):
        value = echoes[e]
        if value <= floor or value * value <= 2.0 * noise**2:
            if used != 1 or floor <= 0.0:
                break
            value = floor
        square = value * value - 2.0 * noise**2
        y = 0.5 * np.log(square)
        used += 1
        s0 += square
        s1 += square * times[e]
        s2 += square * times[e] ** 2
        t0 += square * y
        t1 += square * y * times[e]
        if echoes[e] <= floor:
            break
    determinant = s0 * s2 - s1 * s1
    if used < 2 or determinant <= 0.0:
        return 0.0, 0.0
    rate = min(max((s1 * t0 - s0 * t1) / determinant, 0.0), _LARGEST_PER_S)
    return np.exp((t0 + rate * s1) / s0), rate


@compiled
def _refine(echoes: np.ndarray, times: np.ndarray, noise: float, amplitude: float, rate: float) -> float:
    """Refine amplitude and rate by Levenberg-Marquardt steps on the magnitude with its noise floor."""
    damping = 1e-3
    cost = _cost(echoes, times, noise, amplitude, rate)
    for _ in range(_STEPS):
        a, b, c, p, q = 0.0, 0.0, 0.0, 0.0, 0.0
        for e in range(times.size):
            decay = np.exp(-rate * times[e])
            model = np.sqrt((amplitude * decay) ** 2 + 2.0 * noise**2)
            da = amplitude * decay * decay / model
            db = -amplitude * times[e] * da
            left = echoes[e] - model
            a += da * da
            b += da * db
            c += db * db
            p += da * left
            q += db * left
        a *= 1.0 + damping
        c *= 1.0 + damping
        determinant = a * c - b * b
        if determinant <= 0.0:
            break
        new_amplitude = amplitude + (c * p - b * q) / determinant
        new_rate = min(max(rate + (a * q - b * p) / determinant, 0.0), _LARGEST_PER_S)
        new_cost = _cost(echoes, times, noise, new_amplitude, new_rate)
        if new_cost < cost and new_amplitude > 0.0:
            done = abs(new_rate - rate) < 1e-4 * (1.0 + rate)
            amplitude, rate, cost = new_amplitude, new_rate, new_cost
            damping *= 0.1
            if done:
                break
        else:
            damping = max(damping * 10.0, 1e-3)
    return rate


@compiled
def _cost(echoes: np.ndarray, times: np.ndarray, noise: float, amplitude: float, rate: float) -> float:
    """Return the sum of squared residuals."""
    total = 0.0
    for e in range(times.size):
        model = np.sqrt((amplitude * np.exp(-rate * times[e])) ** 2 + 2.0 * noise**2)
        total += (echoes[e] - model) ** 2
    return total


def r2star(echoes: GradientEcho, reconstruction: Reconstruction) -> Contrast:
    """Return R2* in 1/s inside the mask, zero outside.

    Raises
    ------
    InvalidInputError
        If there is a single echo.

    References
    ----------
    Gudbjartsson & Patz, doi:10.1002/mrm.1910340618 (Rician noise); Miller & Joseph,
    doi:10.1016/0730-725X(93)90225-3 (correction of the second moment).
    """
    count = len(echoes.echo_times_s)
    if count < 2:
        raise InvalidInputError(
            "R2* needs the decay over two or more echoes, and this acquisition has one: switch R2* off"
        )
    mask = reconstruction.total_field.mask
    noise = magnitude_noise(echoes.magnitude[0], mask)
    volume = fit_r2star(echoes.magnitude, echoes.echo_times_s, mask, noise)
    return Contrast(
        name="r2star",
        volume=volume,
        unit="/s",
        title="R2*",
        parameters={"echoes": count, "noise_sd": noise, "noise_floor_sigmas": _FLOOR_SIGMAS},
        references=("doi:10.1002/mrm.1910340618", "doi:10.1016/0730-725X(93)90225-3"),
        warnings=_warnings(volume, mask),
    )


def _warnings(volume: FloatArray, mask: BoolArray) -> tuple[str, ...]:
    """Return what a reader of R2* has to know."""
    said = [
        "R2* includes the dephasing by macroscopic field gradients: it is too large beside sinuses and strong sources."
    ]
    silent = 100 * float(np.mean(volume[mask] == 0)) if mask.any() else 0.0
    if silent > 0.1:
        said.append(f"{silent:.1f} % of the mask has no decay above the noise; R2* is 0 there.")
    return tuple(said)
