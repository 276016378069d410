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
    name
        What it is, for people.
    coefficients
        Its phase is the sum of ``coefficient · phase`` over the first echoes.
    time_s
        The same sum over the echo times.
    """

    name: str
    coefficients: tuple[int, ...]
    time_s: float

    def phase(self, echoes: GradientEcho) -> FloatArray:
        """Return the wrapped phase of the template, ``(x, y, z)`` float32."""
        if self.coefficients == (1,):
            first: FloatArray = echoes.phase_rad[0]
            return first
        return wrap(echoes.phase_rad[1] - echoes.phase_rad[0])

    def unwrapped(self, echoes: GradientEcho, mask: BoolArray) -> Unwrapped:
        """Return the template unwrapped in space; gradients are compared with the other echo's."""
        last = len(self.coefficients) - 1
        several = len(echoes.echo_times_s) > 1
        # The gradient of the echo difference is compared with echo 1, that of echo 1 with echo 2.
        other = 1 - last
        return unwrap(
            self.phase(echoes),
            mask,
            magnitude=echoes.magnitude[last],
            second_phase_rad=echoes.phase_rad[other] if several else None,
            time_ratio=self.time_s / echoes.echo_times_s[other] if several else 1.0,
        )


def _coherence(phase: FloatArray, mask: BoolArray) -> float:
    """Return the mean phase coherence of neighbours along each axis, on every third voxel."""
    values = []
    for axis in range(3):
        step = wrap(np.diff(phase, axis=axis))
        both = np.take(mask, range(1, mask.shape[axis]), axis) & np.take(mask, range(mask.shape[axis] - 1), axis)
        if np.any(both):
            values.append(float(np.mean(1 - np.abs(step[both]) / np.pi)))
    return float(np.mean(values)) if values else 0.0


def choose_template(echoes: GradientEcho, mask: BoolArray) -> Template:
    """Return the first echo or the difference of the first two, whichever is smoother in space.

    The shorter of the two times has fewer steps beyond π, the difference has more noise; the mean
    phase coherence of neighbours weighs the one against the other. It is measured on the central
    eighth of the volume.
    """
    times = echoes.echo_times_s
    first = Template(name="first echo", coefficients=(1,), time_s=times[0])
    if len(times) == 1 or times[0] <= times[1] - times[0]:
        return first
    difference = Template(name="difference of echoes 2 and 1", coefficients=(-1, 1), time_s=times[1] - times[0])
    middle, half = echoes.grid.shape[0] // 2, max(2, echoes.grid.shape[0] // 16)
    slab = slice(max(0, middle - half), middle + half)
    one, two = echoes.phase_rad[0, slab], echoes.phase_rad[1, slab]
    return first if _coherence(one, mask[slab]) >= _coherence(wrap(two - one), mask[slab]) else difference
