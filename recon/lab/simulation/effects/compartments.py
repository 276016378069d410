"""Hollow cylinders: water in, inside and around myelin sheaths precesses at frequencies of its own.

Wharton & Bowtell 2012 (doi:10.1073/pnas.1211075109), relative to extra-axonal water, in ppm, with ``s = sin² θ`` of the
fibre and B0, ``c = 1/4 - 3/2 g² / (1 - g²) ln(1/g)``:

* myelin water ``χ_I/2 (2/3 - s) + χ_A/2 (c s - 1/3) + E``;
* axonal water ``3 χ_A / 4 s ln(1/g)``.

Myelin water decays first, so that the frequency of their sum changes with the echo time.
"""

from __future__ import annotations

import math

import torch

from recon.lab.simulation.draw.effect_plans import CompartmentsPlan
from recon.types import GAMMA_HZ_PER_TESLA


def myelin_ppm(plan: CompartmentsPlan, squared_sine: torch.Tensor) -> torch.Tensor:
    """Return the frequency of myelin water."""
    g = plan.g_ratio
    shape = 0.25 - 1.5 * g**2 / (1 - g**2) * math.log(1 / g)
    isotropic = plan.chi_isotropic_ppm / 2 * (2 / 3 - squared_sine)
    return isotropic + plan.chi_anisotropic_ppm / 2 * (shape * squared_sine - 1 / 3) + plan.exchange_ppm


def axon_ppm(plan: CompartmentsPlan, squared_sine: torch.Tensor) -> torch.Tensor:
    """Return the frequency of axonal water."""
    return 0.75 * plan.chi_anisotropic_ppm * math.log(1 / plan.g_ratio) * squared_sine


def compartment_factor(
    plan: CompartmentsPlan, squared_sine: torch.Tensor, white: torch.Tensor, echo_time_s: float, b0_tesla: float
) -> torch.Tensor:
    """Return the complex factor on a signal that decays as axonal water does.

    Parameters
    ----------
    plan
        Shares, relaxation and susceptibility.
    squared_sine
        ``(x, y, z)`` of the angle between fibres and B0.
    white
        ``(x, y, z)`` share of white matter.
    echo_time_s, b0_tesla
        Acquisition; relaxation rates grow with B0.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` complex, 1 at echo time zero and outside white matter.
    """
    rad_per_ppm = 2 * math.pi * GAMMA_HZ_PER_TESLA * b0_tesla * 1e-6 * echo_time_s
    sooner = (1 / plan.myelin_t2star_s - 1 / plan.other_t2star_s) * b0_tesla / 3.0
    left = torch.full_like(squared_sine, math.exp(-echo_time_s * sooner) * plan.myelin)
    myelin = torch.polar(left, rad_per_ppm * myelin_ppm(plan, squared_sine))
    axon = torch.polar(torch.full_like(squared_sine, plan.axon), rad_per_ppm * axon_ppm(plan, squared_sine))
    return 1.0 + white * (myelin + axon + (1.0 - plan.myelin - plan.axon) - 1.0)
