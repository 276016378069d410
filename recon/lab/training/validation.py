"""Validation on heads that never train, whole volumes, with a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from recon.field.reliability import reliability
from recon.lab.simulation.draw.seeds import generator
from recon.lab.training.forward import mixed_forward
from recon.lab.training.pool import Makers, Pool
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


def nrmse_percent(estimate: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Return ``100 |e - t| / |t|`` in the mask, both with their mean removed."""
    e, t = estimate[mask].astype(np.float64), truth[mask].astype(np.float64)
    e, t = e - e.mean(), t - t.mean()
    return float(100.0 * np.linalg.norm(e - t) / np.linalg.norm(t))


def slope(estimate: np.ndarray, truth: np.ndarray, mask: np.ndarray) -> float:
    """Return the slope of the estimate against the truth in the mask: below 1 is lost amplitude."""
    e, t = estimate[mask].astype(np.float64), truth[mask].astype(np.float64)
    t = t - t.mean()
    return float((e * t).sum() / (t * t).sum())


def pass_maps(
    network: TotalFieldNetwork, features: torch.Tensor, grid: Grid, ppm_per_2pi: float | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the map of the first pass alone and the final one, in the network's unit.

    Parameters
    ----------
    network
        The network; the final map is made with as many passes as it has.
    features
        ``(channel, x, y, z)`` float32.
    grid
        Geometry.
    ppm_per_2pi
        As for :func:`recon.field.reliability.reliability`.
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


def validate(network: TotalFieldNetwork, pool: Pool, picture: Path, makers: Makers | None = None) -> dict[str, float]:
    """Return the mean NRMSE and slope over the validation heads, beside those of the closed form.

    Parameters
    ----------
    network
        The network, where it is to run.
    pool
        Holds the validation heads, or will while ``makers`` work.
    picture
        PNG to draw.
    makers
        Who makes them.
    """
    rows, shown = [], []
    for head in HEADS:
        stack = pool.load(head, makers)
        features = torch.from_numpy(np.array(stack[: len(CHANNELS)], dtype=np.float32))
        truth, mask = np.asarray(stack[-2], np.float32), stack[-1] > 0.5
        scan = draw_subject(generator(pool.purpose, head)).scan
        grid = Grid(shape=truth.shape, voxel_size_mm=scan.voxel_size_mm, b0_direction=scan.b0_direction)
        first, final = pass_maps(network, features, grid, scan.doubtful_turn_ppm)
        start = features[START_CHANNEL].numpy()
        rows.append(
            (
                nrmse_percent(final, truth, mask),
                nrmse_percent(first, truth, mask),
                nrmse_percent(start, truth, mask),
                slope(final, truth, mask),
            )
        )
        middle = truth.shape[2] // 2
        shown.append([np.where(mask, v, 0)[:, :, middle] for v in (start, final, truth, final - truth)])
    _draw(shown, picture)
    nrmse, first_pass, closed, slopes = (float(np.mean(column)) for column in zip(*rows, strict=True))
    each = {f"head{h}": round(r[0], 2) for h, r in zip(HEADS, rows, strict=True)}
    return {
        "nrmse_percent": nrmse,
        "first_pass_percent": first_pass,
        "closed_form_percent": closed,
        "slope": slopes,
        **each,
    }


def _draw(rows: list[list[np.ndarray]], path: Path) -> None:
    """Save one row per head: closed form, network, truth, error, all at +-0.15 ppm."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(rows), 4, figsize=(12, 3 * len(rows)), squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for cell, image, title in zip(line, row, ("closed form", "network", "truth", "error"), strict=True):
            cell.imshow(image.T, cmap="gray", vmin=-1.5, vmax=1.5)
            cell.set_title(title)
            cell.axis("off")
    figure.tight_layout()
    figure.savefig(path, dpi=60)
    plt.close(figure)
