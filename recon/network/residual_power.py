"""What the residual shows, wavelength by wavelength, of the field's noise and of the map's error.

On the cone of the magic angle the dipole kernel is zero, and a map makes no field there. What is left of the field on
the cone is therefore what no map explains: noise, and what a scalar susceptibility does not model, such as white
matter's microstructure and anisotropy. What is left beside the cone is that and the field of the map's error. Both are
averaged over shells of equal wavelength.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from recon.network.constants import NETWORK
from recon.operators.dipole import k_axes
from recon.types import Grid

SHELLS_PER_MM: Final = 160.0
"""One over the breadth of a shell in cycles/mm: a head resolves no finer detail of a spectrum."""
_LEAST_VALUES: Final = 20
"""Values on the cone below which a shell takes its neighbours' power."""
_MAD_TO_SD: Final = 1.4826
_MOST_DEVIATIONS: Final = 3.0
"""Where the noise is measured, a value counts as so many standard deviations at most: a bleed's border is not noise."""

Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Shells:
    """The frequencies of a half spectrum, in shells of equal length.

    Parameters
    ----------
    number
        Shell of every frequency, in the half spectrum's shape, int16.
    on_cone, beside_cone
        ``(n,)`` places in the flattened half spectrum where the kernel almost vanishes, and where it does not; the
        second only of wavelengths at which the two can be compared.
    count_on, count_beside
        ``(shell,)`` how many there are.
    expected
        ``(shell,)`` power of the field that the map's expected error makes, summed over the places beside the cone.
    """

    number: torch.Tensor
    on_cone: torch.Tensor
    beside_cone: torch.Tensor
    count_on: torch.Tensor
    count_beside: torch.Tensor
    expected: torch.Tensor


def make_shells(kernel: torch.Tensor, noise_weight: torch.Tensor, shape: Shape, grid: Grid) -> Shells:
    """Sort the frequencies of a half spectrum of ``shape`` into shells; kernel and weight lie on that spectrum."""
    kx, ky, kz = k_axes(shape, grid.voxel_size_mm, kernel.device)
    number = (torch.sqrt(kx**2 + ky**2 + kz**2) * SHELLS_PER_MM).round().to(torch.int16)
    comparable = (number * NETWORK.longest_error_mm >= SHELLS_PER_MM) & (
        number * NETWORK.shortest_error_mm < SHELLS_PER_MM
    )
    on, beside = (
        torch.nonzero(chosen.flatten())[:, 0]
        for chosen in (
            (kernel.abs() < NETWORK.on_cone) & (number > 0),
            (kernel.abs() > NETWORK.beside_cone) & comparable,
        )
    )
    everywhere = torch.ones_like(kernel)
    return Shells(
        number=number,
        on_cone=on,
        beside_cone=beside,
        count_on=_sums(everywhere, number, on),
        count_beside=_sums(everywhere, number, beside),
        expected=_sums(kernel**2 / noise_weight, number, beside),
    )


def noise_variance_ppm2(left_ppm: torch.Tensor, shells: Shells, shape: Shape) -> torch.Tensor:
    """Return the variance of what no map explains in each shell, ``(shell,)`` float64.

    Parameters
    ----------
    left_ppm
        ``(x, y, z)`` field that the map leaves unexplained, zero where it is not known.
    shells
        Of the half spectrum of ``shape``.
    """
    limit = _MOST_DEVIATIONS * typical_ppm(left_ppm)
    return _on_cone(_power(left_ppm.clamp(-limit, limit), shape), shells)


def error_over_expected(left_ppm: torch.Tensor, shells: Shells, shape: Shape) -> torch.Tensor:
    """Return the power of the map's error over the expected one in each shell, ``(shell,)`` float64, 1 or more.

    A larger error, as that of a bleed, shows beside the cone; a smaller one is not believed. Arguments as for
    :func:`noise_variance_ppm2`.
    """
    most = NETWORK.doubted_residual_ppm
    power = _power(left_ppm.clamp(-most, most), shape)
    error = _sums(power, shells.number, shells.beside_cone) - _on_cone(power, shells) * shells.count_beside
    tiny = torch.finfo(torch.float64).tiny
    over: torch.Tensor = (error / shells.expected.clamp(min=tiny)).clamp(1.0, NETWORK.most_error)
    return over


def typical_ppm(left_ppm: torch.Tensor) -> float:
    """Return the standard deviation of a field's known values by their median, so that a few places do not rule it."""
    known = left_ppm[left_ppm != 0].abs()
    return _MAD_TO_SD * float(known.median()) if known.numel() else 0.0


def _power(left_ppm: torch.Tensor, shape: Shape) -> torch.Tensor:
    """Return the power per known voxel of a volume, zero-padded to ``shape``, on the half spectrum."""
    spectrum = torch.fft.rfftn(left_ppm, s=shape)
    power: torch.Tensor = spectrum.real.square() + spectrum.imag.square()
    return power / torch.count_nonzero(left_ppm).clamp(min=1)


def _sums(values: torch.Tensor, number: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return the sum over the places in each shell, ``(shell,)`` float64."""
    weights = values.flatten()[places].double()
    return torch.bincount(number.flatten()[places].int(), weights=weights, minlength=int(number.max()) + 1)


def _on_cone(power: torch.Tensor, shells: Shells) -> torch.Tensor:
    """Return the mean power on the cone in each shell, ``(shell,)`` float64."""
    mean = _sums(power, shells.number, shells.on_cone) / shells.count_on.clamp(min=1)
    return _without_gaps(mean, shells.count_on >= _LEAST_VALUES)


def _without_gaps(mean: torch.Tensor, enough: torch.Tensor) -> torch.Tensor:
    """Return a spectrum ``(shell,)`` with positive values, its gaps filled from the next shells on either side."""
    values = mean.cpu().numpy()
    measured = np.flatnonzero(enough.cpu().numpy() & (values > 0))
    if not measured.size:
        return torch.full_like(mean, torch.finfo(torch.float32).tiny)
    filled = np.exp(np.interp(np.arange(len(values)), measured, np.log(values[measured])))
    return torch.from_numpy(filled).to(mean.device)
