"""Inversion methods by name: one table, one entry per method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch

from recon.engines.choose import choose_engine
from recon.errors import InvalidInputError
from recon.field.reliability import DOUBTFUL_RATIO, DOUBTFUL_TURNS, DROPOUT_MM, OPEN_SHARE, USELESS_PPM
from recon.inversion import chains
from recon.inversion.tfi import tfi
from recon.network.consistency import DOUBTED_PPM, REGULARISATION, RIM_MM
from recon.network.features import FEATURE_PARAMETERS, closed_mask, trusted_field, usable_field
from recon.network.passes import STEPS, Forward, susceptibility
from recon.network.void_unwrapping import MOST_LEFT_TURNS, MOST_NOISE_TURNS, Measured
from recon.operators.boxes import crop_grid, mask_box
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
        Where the map was made, and its figures may be worked out.
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

_PASS_PARAMETERS: Mapping[str, str | float | int] = MappingProxyType(
    {
        "consistency": REGULARISATION,
        "doubted_residual_ppm": DOUBTED_PPM,
        "consistency_rim_mm": RIM_MM,
        "consistency_steps_per_pass": STEPS,
    }
)
_VOID_PARAMETERS: Mapping[str, float] = MappingProxyType(
    {
        "useless_noise_ppm": USELESS_PPM,
        "doubted_noise_turns": DOUBTFUL_TURNS,
        "doubted_noise_medians": DOUBTFUL_RATIO,
        "open_void_share": OPEN_SHARE,
        "dropout_half_breadth_mm": DROPOUT_MM,
        "void_noise_limit_turns": MOST_NOISE_TURNS,
        "void_residual_limit_turns": MOST_LEFT_TURNS,
    }
)


def invert_by_network(total: TotalField, engine_name: str) -> Inverted:
    """Invert the total field by the network, without background removal (after Liu & Koch 2019, arXiv:1904.07105)."""
    chain = choose_engine(engine_name)
    config = chain.trained.network.config
    box = mask_box(total.mask, margin=1)
    grid = crop_grid(total.grid, box)

    regained: dict[str, int] = {}

    def invert(forward: Forward, device: torch.device) -> torch.Tensor:
        """Make the network's input on the engine's device, and run the passes there."""
        field, mask, noise = (
            torch.from_numpy(np.ascontiguousarray(volume[box])).to(device)
            for volume in (total.field_ppm, total.mask, total.noise_ppm)
        )
        measured = Measured(field_ppm=field, mask=mask, noise_ppm=noise, grid=grid, ppm_per_2pi=total.ppm_per_2pi)
        chi, voids = susceptibility(measured, forward, stride=config.stride, passes=config.passes)
        regained["void_voxels_believed_again"] = int(voids.regained.sum())
        regained["void_voxels_turned"] = voids.turned_voxels
        return chi

    result = chain.infer(invert)
    chi = np.zeros(total.grid.shape, dtype=np.float32)
    chi[box] = result.output.numpy()
    return Inverted(
        chi_ppm=chi,
        engine=str(result.engine),
        weights_sha256=chain.trained.sha256,
        parameters={
            **FEATURE_PARAMETERS,
            "passes": config.passes,
            "mirrored_passes": config.passes // 2,
            **_PASS_PARAMETERS,
            **_VOID_PARAMETERS,
            **regained,
        },
        references=("arXiv:1904.07105", "doi:10.1002/nbm.3064", "doi:10.1016/j.neuroimage.2010.10.070"),
        warnings=result.warnings,
        engine_choice=result.choice,
        device=str(result.device),
    )


def _published(chain: Callable[..., torch.Tensor], references: tuple[str, ...], **parameters: float) -> Method:
    """Return a published chain as a method: it sees the box around the mask, and needs no engine.

    It is given the field as the network is: with what their neighbours suggest in place of values that mean nothing
    (tuning patient 2005 by HD-QSM: 60.7 to 56.9 %), and without the guesses that stand in a dropout at the surface.
    Taken for background values, these spread through the brain, which outweighs everything else on a single echo (head
    swi 804: 251 to 80 %). Their voxels get no value.
    """

    def invert(total: TotalField, engine_name: str) -> Inverted:
        """Crop to the mask, run the chain, and put the map back; no engine is used."""
        del engine_name
        box = mask_box(total.mask, margin=2)
        field, mask, noise = (
            torch.from_numpy(np.ascontiguousarray(volume[box]))
            for volume in (total.field_ppm, total.mask, total.noise_ppm)
        )
        grid = crop_grid(total.grid, box)
        field = usable_field(field, mask, trusted_field(noise, mask, grid, total.ppm_per_2pi), grid)
        mask = closed_mask(noise, mask, grid)
        # Where zero lies is arbitrary, and a jump to zero at the mask's edge would be taken for a source.
        centred = torch.where(mask, field - field[mask].mean(), 0.0)
        chi = np.zeros(total.grid.shape, dtype=np.float32)
        chi[box] = chain(centred, mask, noise, grid, **parameters).numpy()
        return Inverted(chi_ppm=chi, parameters=parameters, references=references)

    return invert


# Tuned for least mean NRMSE over simulated heads at 2 mm that serve nothing else (Purpose.TUNING: healthy 0, lesion 1,
# 7t 2, oblique 3), from the true field, on the brain without erosion. Searched:
#   tikhonov   regularisation 0.002 0.004 0.008 0.015; after V-SHARP 67.2 %, iSMV 65.3 %, harmonic extension 57.5 %
#   tkd        threshold 0.05 0.1 0.15 0.2
#   tv         alpha 1e-4 2e-4 4e-4 (healthy, lesion, oblique)
#   hd-qsm     alpha 1e-4 2e-4, others as in hd_qsm.py (healthy, lesion, oblique)
#   tfi        regularisation 1e-6 3e-6 1e-5 1e-4 3e-4 1e-3 (healthy, lesion); outside 3 10 30 (lesion)
#   tgv        alpha_1 5e-5 1e-4 2e-4 1e-3 with alpha_0 = 2 alpha_1; balance 0.01 0.1 0.5 2 (healthy, oblique)
METHODS: dict[str, Method] = {
    "network": invert_by_network,
    "tikhonov": _published(
        chains.harmonic_tikhonov, ("doi:10.1002/nbm.3064", "doi:10.1002/mrm.25029"), regularisation=0.008
    ),
    "tkd": _published(
        chains.vsharp_tkd,
        ("doi:10.1016/j.neuroimage.2010.11.088", "doi:10.1002/mrm.22135", "doi:10.1002/mrm.24405"),
        threshold=0.2,
    ),
    "tv": _published(chains.vsharp_tv, ("doi:10.1016/j.neuroimage.2010.11.088", "doi:10.1002/mrm.27073"), alpha=2e-4),
    "hd-qsm": _published(chains.ismv_hd_qsm, ("doi:10.1002/mrm.24998", "doi:10.1002/mrm.29218"), alpha=2e-4),
    "lbv-hd-qsm": _published(chains.harmonic_hd_qsm, ("doi:10.1002/nbm.3064", "doi:10.1002/mrm.29218"), alpha=2e-4),
    "tfi": _published(tfi, ("doi:10.1002/mrm.26331",), regularisation=3e-6),
    "tgv": _published(chains.total_tgv, ("doi:10.1016/j.neuroimage.2015.02.041",), alpha_1=1e-4, alpha_0=2e-4),
}


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
