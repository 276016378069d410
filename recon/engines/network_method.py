"""Inversion by the network, on the engine that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch

from recon.engines.choose import choose_engine
from recon.field.reliability import DOUBTFUL_RATIO, DOUBTFUL_TURNS, DROPOUT_MM, OPEN_SHARE, USELESS_PPM
from recon.inversion.methods import Inverted
from recon.network.consistency import DOUBTED_PPM, REGULARISATION, RIM_MM
from recon.network.features import FEATURE_PARAMETERS, field_tensors
from recon.network.passes import STEPS, Forward, susceptibility
from recon.network.void_unwrapping import MOST_LEFT_TURNS, MOST_NOISE_TURNS
from recon.operators.boxes import crop_field
from recon.types import TotalField

_PARAMETERS: Mapping[str, str | float | int] = MappingProxyType(
    {
        "consistency": REGULARISATION,
        "doubted_residual_ppm": DOUBTED_PPM,
        "consistency_rim_mm": RIM_MM,
        "consistency_steps_per_pass": STEPS,
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
    cut, box = crop_field(total, margin=1)
    regained: dict[str, int] = {}

    def invert(forward: Forward, device: torch.device) -> torch.Tensor:
        """Make the network's input on the engine's device, and run the passes there."""
        measured = field_tensors(cut, device)
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
            **_PARAMETERS,
            **regained,
        },
        references=("arXiv:1904.07105", "doi:10.1002/nbm.3064", "doi:10.1016/j.neuroimage.2010.10.070"),
        warnings=result.warnings,
        engine_choice=result.choice,
        device=str(result.device),
    )
