"""What every inversion method is: from a total field to a map and how it was made."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from recon.errors import InvalidInputError
from recon.operators.boxes import crop_field
from recon.operators.lbv import interpolate_doubtful
from recon.options import METHODS
from recon.types import FloatArray, TotalField


@dataclass(frozen=True, kw_only=True)
class Inverted:
    """What a method returns.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32, not yet referenced.
    engine, weights_sha256, engine_choice
        Empty for methods without a network.
    parameters
        Settings of the method.
    references
        DOI or arXiv numbers.
    warnings
        Sentences for the reader of the map.
    device
        Where the map was made, and its figures can be computed.
    """

    chi_ppm: FloatArray
    engine: str = ""
    weights_sha256: str = ""
    parameters: Mapping[str, str | float | int | bool] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    engine_choice: str = ""
    device: str = "cpu"


Method = Callable[[TotalField, str], Inverted]
"""Inverts a total field; the name of the engine matters to methods with a network only."""


def find_method(name: str) -> Method:
    """Return the method called ``name``, a key of :data:`recon.options.METHODS`.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    if name not in METHODS:
        raise InvalidInputError(f"no inversion method {name!r}: expected one of {', '.join(METHODS)}")
    module, function = METHODS[name].split(":")
    method: Method = getattr(importlib.import_module(module), function)
    return method


def published(*references: str, **parameters: float) -> Callable[[Callable[..., torch.Tensor]], Method]:
    """Return a decorator that makes a method of a published chain: it sees the box around the mask, on the CPU.

    The chain is given the field as the network is: with what their neighbours suggest in place of unreliable values
    (tuning patient 2005 by HD-QSM: 60.7 to 56.9 %), and without the guesses that stand in a dropout at the surface.
    Taken for background values, these spread through the brain, which outweighs everything else on a single echo (head
    swi 804: 251 to 80 %). Their voxels get no value.

    Parameters
    ----------
    references
        DOI of each part of the chain.
    parameters
        Handed on to the chain.
    """

    def as_method(chain: Callable[..., torch.Tensor]) -> Method:
        @functools.wraps(chain)
        def invert(total: TotalField, engine_name: str) -> Inverted:
            del engine_name
            cut, box = crop_field(total, margin=2)
            field = torch.from_numpy(interpolate_doubtful(cut.field_ppm, cut.reliable, cut.mask, cut.grid))
            mask, noise = torch.from_numpy(cut.closed_mask), torch.from_numpy(cut.noise_ppm)
            # Where zero lies is arbitrary, and a jump to zero at the mask's edge would be taken for a source.
            centred = torch.where(mask, field - field[mask].mean(), 0.0)
            chi = np.zeros(total.grid.shape, dtype=np.float32)
            chi[box] = chain(centred, mask, noise, cut.grid, **parameters).numpy()
            return Inverted(chi_ppm=chi, parameters=parameters, references=references)

        return invert

    return as_method
