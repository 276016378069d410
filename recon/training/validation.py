"""Validation on heads that never train, whole volumes, with a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from recon.network.features import START_CHANNEL, pad_to_stride, start_map
from recon.network.model import TotalFieldNetwork
from recon.training.pool import Pool

HEADS = (0, 1, 2, 3, 4, 5)


@dataclass(frozen=True, kw_only=True)
class Validation:
    """Validation volumes, on disk."""

    pool: Pool
    heads: tuple[int, ...]

    @classmethod
    def prepare(cls, pool: Pool, say: Callable[[str], None]) -> Validation:
        """Simulate the validation heads that are not on disk yet."""
        for head in HEADS:
            if not pool.path(head).exists():
                say(f"simulating validation head {head}")
                pool.make(head)
        return cls(pool=pool, heads=HEADS)


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


def predict(network: TotalFieldNetwork, features: np.ndarray) -> np.ndarray:
    """Run the network on a whole volume ``(channel, x, y, z)``, in mixed precision."""
    shape = (features.shape[1], features.shape[2], features.shape[3])
    padded = pad_to_stride(shape, network.config.stride)
    stack = torch.zeros(1, features.shape[0], *padded)
    stack[0, :, : shape[0], : shape[1], : shape[2]] = torch.from_numpy(np.array(features, dtype=np.float32))
    device = next(network.parameters()).device
    stack = stack.to(device).to(memory_format=torch.channels_last_3d)
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
        result = network(stack).float() + start_map(stack)
    return np.asarray(result[0, 0, : shape[0], : shape[1], : shape[2]].cpu())


def validate(network: TotalFieldNetwork, checks: Validation, picture: Path) -> dict[str, float]:
    """Return the mean NRMSE and slope over the validation heads, beside those of the closed form."""
    rows, shown = [], []
    for head in checks.heads:
        stack = checks.pool.load(head)
        features, truth, mask = stack[:-2], np.asarray(stack[-2], np.float32), stack[-1] > 0.5
        estimate = predict(network, features)
        start = np.asarray(features[START_CHANNEL], np.float32)
        rows.append(
            (
                nrmse_percent(estimate, truth, mask),
                nrmse_percent(start, truth, mask),
                nrmse_percent(np.asarray(features[6], np.float32), truth, mask),
                slope(estimate, truth, mask),
            )
        )
        middle = truth.shape[2] // 2
        shown.append([np.where(mask, v, 0)[:, :, middle] for v in (start, estimate, truth, estimate - truth)])
    _draw(shown, picture)
    nrmse, closed, sharp, slopes = (float(np.mean(column)) for column in zip(*rows, strict=True))
    each = {f"head{h}": round(r[0], 2) for h, r in zip(checks.heads, rows, strict=True)}
    return {
        "nrmse_percent": nrmse,
        "closed_form_percent": closed,
        "vsharp_tikhonov_percent": sharp,
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
