"""The template: the one phase that is unwrapped in space, from which all echoes are unwrapped in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recon.field.unwrap.romeo import Unwrapped, unwrap
from recon.operators.wrap import wrap
from recon.types import BoolArray, FloatArray, GradientEcho


@dataclass(frozen=True, kw_only=True)
class Template:
    """A phase that grows linearly with a short time.

    Parameters
    ----------
    coefficients
        Its phase is the sum of ``coefficient · phase`` over the first echoes.
    time_s
        The same sum over the echo times.
    """

    coefficients: tuple[int, ...]
    time_s: float

    @property
    def is_difference(self) -> bool:
        """Whether it is the difference of two echoes, which an offset that both share is not in."""
        return sum(self.coefficients) == 0


def unwrapped_template(
    echoes: GradientEcho, mask: BoolArray, *, difference: bool = False
) -> tuple[Template, Unwrapped]:
    """Return the first echo or the difference of the first two, whichever is smoother, unwrapped in space.

    The shorter of the two times has fewer steps beyond π, the difference has more noise; the mean
    phase coherence of neighbours weighs the one against the other. It is measured on the central
    eighth of the volume.

    Parameters
    ----------
    echoes
        One echo or more.
    mask
        ``(x, y, z)`` bool, where to unwrap.
    difference
        Whether the difference is to be taken in any case.
    """
    phase_rad, times_s = echoes.phase_rad, echoes.echo_times_s
    template, wrapped, last = Template(coefficients=(1,), time_s=times_s[0]), phase_rad[0], 0
    if len(times_s) > 1 and (difference or times_s[0] > times_s[1] - times_s[0]):
        step = wrap(phase_rad[1] - phase_rad[0])
        if difference or _coherence(step, mask) > _coherence(phase_rad[0], mask):
            template, wrapped, last = Template(coefficients=(-1, 1), time_s=times_s[1] - times_s[0]), step, 1
    several = len(times_s) > 1
    # The gradient of the echo difference is compared with echo 1, that of echo 1 with echo 2.
    other = 1 - last
    return template, unwrap(
        wrapped,
        mask,
        magnitude=echoes.magnitude[last],
        second_phase_rad=phase_rad[other] if several else None,
        time_ratio=template.time_s / times_s[other] if several else 1.0,
    )


def _coherence(phase: FloatArray, mask: BoolArray) -> float:
    """Return the mean phase coherence of neighbours along each axis, in the central eighth of a volume."""
    middle, half = len(mask) // 2, max(2, len(mask) // 16)
    slab = slice(max(0, middle - half), middle + half)
    values = []
    for axis in range(3):
        step = wrap(np.diff(phase[slab], axis=axis))
        size = mask[slab].shape[axis]
        both = np.take(mask[slab], range(1, size), axis) & np.take(mask[slab], range(size - 1), axis)
        if np.any(both):
            values.append(float(np.mean(1 - np.abs(step[both]) / np.pi)))
    return float(np.mean(values)) if values else 0.0
