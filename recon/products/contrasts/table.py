"""Contrasts by name: one table, one entry per contrast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from recon.products.contrasts.fields import local_field_ppb, total_field_hz
from recon.products.contrasts.projection import minimum_projection
from recon.products.contrasts.relaxation import r2star
from recon.products.contrasts.types import Contrast
from recon.products.contrasts.weighted import swi, true_swi
from recon.types import GradientEcho, Reconstruction

MakeContrast = Callable[[GradientEcho, Reconstruction], Contrast]

CONTRASTS: Mapping[str, MakeContrast] = MappingProxyType(
    {
        "swi": swi,
        "true-swi": true_swi,
        "min-ip": minimum_projection,
        "r2star": r2star,
        "total-field": total_field_hz,
        "local-field": local_field_ppb,
    }
)
"""What can be made of an acquisition and its reconstruction.

A contrast that cannot be made of this acquisition raises :class:`recon.errors.InvalidInputError` with the reason.
"""
