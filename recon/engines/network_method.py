"""Inversion by the network, on the engine that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch

from recon.engines.choose import choose_engine
from recon.field.constants import FIELD
from recon.inversion.methods import Inverted
from recon.network.consistency import REGULARISATION
from recon.network.constants import NETWORK
from recon.network.features import FEATURE_PARAMETERS, field_tensors
from recon.network.passes import Forward, susceptibility
from recon.operators.boxes import crop_field
from recon.types import TotalField

_PARAMETERS: Mapping[str, str | float | int] = MappingProxyType(
    {
        "consistency": REGULARISATION,
        "doubted_residual_ppm": NETWORK.doubted_residual_ppm,
        "consistency_rim_mm": NETWORK.rim_mm,
        "consistency_steps_per_pass": NETWORK.steps_per_pass,
        "useless_noise_ppm": FIELD.useless_ppm,
        "doubted_noise_turns": FIELD.doubtful_turns,
        "doubted_noise_medians": FIELD.doubtful_ratio,
        "open_void_share": FIELD.open_share,
        "dropout_half_breadth_mm": FIELD.dropout_mm,
        "void_noise_limit_turns": NETWORK.most_noise_turns,
        "void_residual_limit_turns": NETWORK.most_left_turns,
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
