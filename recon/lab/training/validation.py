"""Validation on heads that never train, whole volumes, with a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.stats import gmean

from recon.field.reliability import reliability
from recon.lab.evaluation import metrics
from recon.lab.pictures.planes import draw_slices
from recon.lab.simulation.draw.effect_plans import NO_EFFECTS
from recon.lab.simulation.draw.seeds import generator
from recon.lab.training.forward import mixed_forward
from recon.lab.training.pool import Pool
from recon.lab.training.subjects import draw_subject
from recon.network.features import (
    CHANNELS,
    CHI_UNIT_PPM,
    MASK_CHANNEL,
    NOISE_CHANNEL,
    NOISE_UNIT_PPM,
    START_CHANNEL,
)
from recon.network.model import TotalFieldNetwork
from recon.network.passes import measured_field, one_pass, run_passes
from recon.types import Grid

HEADS = tuple(range(10))


def _pass_maps(
    network: TotalFieldNetwork, features: torch.Tensor, grid: Grid, ppm_per_2pi: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the map of the first pass alone and the final one, in the network's unit.

    ``features`` are ``(channel, x, y, z)`` float32; ``ppm_per_2pi`` is as for
    :func:`recon.field.reliability.reliability`.
    """
    forward, config = mixed_forward(network), network.config
    features = features.to(next(network.parameters()).device)
    first = one_pass(features, forward, config.stride)
    mask, noise_ppm = features[MASK_CHANNEL] > 0.5, features[NOISE_CHANNEL] * NOISE_UNIT_PPM
    reliable, closed_mask = (
        torch.from_numpy(voxels).to(features.device)
        for voxels in reliability(noise_ppm.cpu().numpy(), mask.cpu().numpy(), grid, ppm_per_2pi)
    )
    data = measured_field(features, grid, reliable=reliable, closed_mask=closed_mask)
    final = run_passes(features, data, forward, stride=config.stride, passes=config.passes)
    return (first / CHI_UNIT_PPM).cpu().numpy(), (final / CHI_UNIT_PPM).cpu().numpy()


def validate(
    network: TotalFieldNetwork, pool: Pool, picture: Path, keep_working: Callable[[], None]
) -> dict[str, float]:
    """Return the mean NRMSE and slope over the validation heads, beside those of the closed form, and draw ``picture``.

    The mean NRMSE of heads with effects and of heads without stands beside that of all. Means of NRMSE are geometric:
    a head whose phase step failed would otherwise outweigh all others.
    ``pool`` holds the heads, or will soon; ``keep_working`` is as for :meth:`recon.lab.training.pool.Pool.load`.
    """
    rows, shown, by_kind = [], [], defaultdict(list)
    for head in HEADS:
        stack = pool.load(head, keep_working)
        features = torch.from_numpy(np.array(stack[: len(CHANNELS)], dtype=np.float32))
        truth, mask = np.asarray(stack[-2], np.float32), stack[-1] > 0.5
        scan = draw_subject(generator(pool.purpose, head)).scan
        grid = Grid(shape=truth.shape, voxel_size_mm=scan.voxel_size_mm, b0_direction=scan.b0_direction)
        first, final = _pass_maps(network, features, grid, scan.doubtful_turn_ppm)
        start = features[START_CHANNEL].numpy()
        errors = [metrics.nrmse(made, truth, mask) for made in (final, first, start)]
        rows.append((*errors, metrics.slope(truth[mask], final[mask])))
        kind = "without_effects" if scan.effects == NO_EFFECTS else "with_effects"
        by_kind[f"{kind}_percent"].append(errors[0])
        middle = truth.shape[2] // 2
        maps = {"closed form": start, "network": final, "truth": truth, "error": final - truth}
        shown.append({title: np.where(mask, v, 0)[:, :, middle] * CHI_UNIT_PPM for title, v in maps.items()})
    draw_slices(shown, picture)
    *nrmses, slopes = zip(*rows, strict=True)
    nrmse, first_pass, closed = (float(gmean(column)) for column in nrmses)
    each = {f"head{h}": round(r[0], 2) for h, r in zip(HEADS, rows, strict=True)}
    return {
        "nrmse_percent": nrmse,
        "first_pass_percent": first_pass,
        "closed_form_percent": closed,
        "slope": float(np.mean(slopes)),
        **{kind: float(gmean(column)) for kind, column in by_kind.items()},
        **each,
    }
