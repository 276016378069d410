"""Phase offsets: the part of the phase that does not grow with the echo time, estimated and smoothed.

MCPC-3D-S written for any template. The unwrapped template ``θ`` of time ``T`` predicts the phase of
every echo but for its offset, so that ``φ_e - (TE_e/T) θ`` holds offsets alone and is smooth. With
one offset for all echoes (monopolar readout) a single echo gives it. With one for odd and another for
even echoes (bipolar readout) the first three echoes give a small linear system.

References
----------
Eckstein et al., Magn Reson Med 2018, doi:10.1002/mrm.26963 (MCPC-3D-S).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recon.field.offsets.smooth import smooth_phase
from recon.field.template import Template
from recon.operators.coarse import CoarseGrid, ComplexArray, block_phasors, coarse_grid, upsample
from recon.types import BoolArray, FloatArray, GradientEcho

ODD, EVEN = 0, 1
"""Parities of echoes counted from one, as in the literature: echo 1 is odd."""


@dataclass(frozen=True, kw_only=True)
class Offsets:
    """Smooth phase offsets on coarse cells.

    Parameters
    ----------
    odd_rad
        ``(x, y, z)`` float32 on the cells, offset of the odd echoes (the first, the third, ...).
    even_rad
        The same of the even echoes; None where all echoes share one offset.
    coarse
        The cells.
    """

    odd_rad: FloatArray
    even_rad: FloatArray | None
    coarse: CoarseGrid

    def of_template(self, template: Template) -> FloatArray:
        """Return the template's own offset on voxels, ``(x, y, z)`` float32."""
        even = self.odd_rad if self.even_rad is None else self.even_rad
        cells = sum(c * (self.odd_rad, even)[e % 2] for e, c in enumerate(template.coefficients))
        return upsample(np.asarray(cells, np.float32), self.coarse)

    def volumes(self) -> tuple[FloatArray, FloatArray]:
        """Return the offsets of odd and even echoes on voxels, the same array twice if they are one."""
        odd = upsample(self.odd_rad, self.coarse)
        return odd, odd if self.even_rad is None else upsample(self.even_rad, self.coarse)


def no_offsets(echoes: GradientEcho) -> Offsets:
    """Return offsets of zero."""
    coarse = coarse_grid(echoes.grid)
    return Offsets(odd_rad=np.zeros(coarse.shape, np.float32), even_rad=None, coarse=coarse)


def offset_phasors(
    echoes: GradientEcho, template: Template, theta_rad: FloatArray, mask: BoolArray, echo: int
) -> ComplexArray:
    """Return coarse phasors of ``φ_e - (TE_e/T) θ``, weighted by the echo's magnitude."""
    return block_phasors(
        echoes.phase_rad[echo],
        theta_rad,
        echoes.echo_times_s[echo] / template.time_s,
        echoes.magnitude[echo],
        mask,
        coarse_grid(echoes.grid),
    )


def parity_system(template: Template, echo_times_s: tuple[float, ...], used: list[int]) -> npt.NDArray[np.float64]:
    """Return the matrix that takes (odd, even) offsets to the offsets of ``φ_e - (TE_e/T) θ``, one row per echo."""
    rows = np.zeros((len(used), 2))
    for row, echo in zip(rows, used, strict=True):
        row[echo % 2] += 1
        for e, coefficient in enumerate(template.coefficients):
            row[e % 2] -= echo_times_s[echo] / template.time_s * coefficient
    return rows


def monopolar_offsets(
    echoes: GradientEcho, template: Template, theta_rad: FloatArray, mask: BoolArray
) -> tuple[Offsets, ComplexArray]:
    """Return the offset that all echoes share (MCPC-3D-S), and the phasors it was smoothed from.

    Parameters
    ----------
    echoes
        Two echoes or more.
    template, theta_rad
        The template and its unwrapped phase ``(x, y, z)``.
    mask
        Where the phase means something.
    """
    # Echo 2 for a template of echo 1 alone (whose own difference is zero by definition), else echo 1.
    echo = 1 if len(template.coefficients) == 1 else 0
    phasors = offset_phasors(echoes, template, theta_rad, mask, echo)
    coarse = coarse_grid(echoes.grid)
    scale = parity_system(template, echoes.echo_times_s, [echo]).sum()
    offset = (smooth_phase(phasors, coarse.cell_mm) / scale).astype(np.float32)
    return Offsets(odd_rad=offset, even_rad=None, coarse=coarse), phasors
