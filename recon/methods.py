"""Inversion methods by name: one table, one entry per method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from recon.box import crop_grid, mask_box
from recon.engines.choose import choose_engine
from recon.errors import InvalidInputError
from recon.harmonic import harmonic_background
from recon.inversion.tikhonov import tikhonov
from recon.network.features import CHI_UNIT_PPM, network_features, pad_to_stride, start_map
from recon.types import FloatArray, TotalField


@dataclass(frozen=True, kw_only=True)
class Inverted:
    """What a method returns.

    Parameters
    ----------
    chi_ppm
        ``(x, y, z)`` float32, not yet referenced.
    engine, weights_sha256
        Empty for methods without a network.
    parameters
        Settings of the method.
    references
        DOI or arXiv numbers.
    warnings
        Sentences for the reader of the map.
    """

    chi_ppm: FloatArray
    engine: str = ""
    weights_sha256: str = ""
    parameters: Mapping[str, str | float | int | bool] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


Method = Callable[[TotalField, str], Inverted]


def invert_by_network(total: TotalField, engine_name: str) -> Inverted:
    """Invert the total field in one pass of the network (after Liu & Koch 2019, arXiv:1904.07105)."""
    chosen = choose_engine(engine_name)
    box = mask_box(total.mask, margin=8)
    features = network_features(
        torch.from_numpy(total.field_ppm[box].copy()),
        torch.from_numpy(total.mask[box].copy()),
        torch.from_numpy(total.noise_ppm[box].copy()),
        crop_grid(total.grid, box),
    )
    shape = (features.shape[1], features.shape[2], features.shape[3])
    padded = pad_to_stride(shape, chosen.trained.network.config.stride)
    stack = torch.zeros(1, features.shape[0], *padded)
    stack[0, :, : shape[0], : shape[1], : shape[2]] = features
    output = chosen.engine.run(stack) + start_map(stack)
    chi = np.zeros(total.grid.shape, dtype=np.float32)
    chi[box] = output[0, 0, : shape[0], : shape[1], : shape[2]].numpy() * CHI_UNIT_PPM
    return Inverted(
        chi_ppm=chi,
        engine=chosen.engine.description,
        weights_sha256=chosen.trained.sha256,
        references=("arXiv:1904.07105", "doi:10.1002/nbm.3064", "doi:10.1016/j.neuroimage.2010.10.070"),
        warnings=chosen.warnings,
    )


def invert_by_tikhonov(total: TotalField, engine_name: str) -> Inverted:
    """Remove the background by its harmonic extension and invert in closed form; quick, and blurred by streaks."""
    del engine_name
    regularisation = 0.01
    local = np.where(
        total.mask, total.field_ppm - harmonic_background(total.field_ppm, total.mask, total.grid), 0
    )
    chi = tikhonov(torch.from_numpy(local.astype(np.float32)), total.grid, regularisation)
    return Inverted(
        chi_ppm=chi.numpy(),
        parameters={"regularisation": regularisation},
        references=("doi:10.1002/nbm.3064", "doi:10.1002/mrm.25029"),
    )


METHODS: dict[str, Method] = {"network": invert_by_network, "tikhonov": invert_by_tikhonov}


def find_method(name: str) -> Method:
    """Return the method called ``name``.

    Raises
    ------
    InvalidInputError
        If there is none.
    """
    if name not in METHODS:
        raise InvalidInputError(f"no inversion method {name!r}: expected one of {', '.join(METHODS)}")
    return METHODS[name]
