"""Speed of the physics, each row beside a peer on the same data in the same run, so that ratios are comparable."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from recon.engines.choose import ENGINES
from recon.errors import EngineError, InvalidInputError
from recon.head import head_mask
from recon.network.features import network_features, pad_to_stride
from recon.network.weights import load_weights
from recon.phase.offsets import no_offsets
from recon.phase.template import choose_template
from recon.phase.temporal import FieldFit, first_guess, unwrap_echoes
from recon.phase.total import fit_phase
from recon.simulation.scan import SimulatedScan, simulate_case
from recon.types import BoolArray, FloatArray, GradientEcho

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class BenchRow:
    """One comparison.

    Parameters
    ----------
    what
        The work, with its size.
    ours, peer
        Names of the two.
    ours_seconds, peer_seconds
        Wall-clock times, the best of two or three runs after warm-up for ours.
    """

    what: str
    ours: str
    ours_seconds: float
    peer: str
    peer_seconds: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.peer_seconds / self.ours_seconds


def bench(*, voxel_size_mm: float, say: Say) -> tuple[BenchRow, ...]:
    """Run all comparisons on one simulated head.

    Parameters
    ----------
    voxel_size_mm
        1 gives 160 x 192 x 160 voxels and four echoes.
    say
        Told which comparison runs.
    """
    say("simulating the head")
    scan = simulate_case("healthy", 11, voxel_size_mm=voxel_size_mm)
    return (*_unwrapping(scan.echoes, say), *_engines(scan, say))


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _unwrap_all(echoes: GradientEcho, head: BoolArray) -> FloatArray:
    """Unwrap all echoes and nothing else: the template in space, the echoes from it in time."""
    template = choose_template(echoes, head)
    theta_rad = template.unwrapped(echoes, head).phase_rad
    offsets = no_offsets(echoes)
    guess = first_guess(theta_rad, template, offsets)
    return unwrap_echoes(echoes, FieldFit(field_rad_per_s=guess, residual_rad=guess, information=guess), offsets)


def _unwrapping(echoes: GradientEcho, say: Say) -> tuple[BenchRow, BenchRow]:
    """Unwrap, alone and with offsets and combination, beside scikit-image's unwrapping, in the same head mask.

    Raises
    ------
    InvalidInputError
        If scikit-image is not installed.
    """
    try:
        from skimage.restoration import unwrap_phase
    except ImportError as error:
        raise InvalidInputError("scikit-image is missing; install this project with its 'test' extra") from error
    head = head_mask(echoes.magnitude[0])
    say("unwrapping, offsets and combination")
    fit_phase(echoes, head)
    _unwrap_all(echoes, head)
    alone = min(_seconds(lambda: _unwrap_all(echoes, head)) for _ in range(3))
    whole = min(_seconds(lambda: fit_phase(echoes, head)) for _ in range(3))
    say("unwrapping with scikit-image")
    peer = _seconds(lambda: [unwrap_phase(np.ma.masked_array(phase, ~head), rng=0) for phase in echoes.phase_rad])
    what = f"{len(echoes.echo_times_s)} echoes of {_size(echoes.grid.shape)}, head mask"
    rows = (("unwrap", alone), ("unwrap + offsets + combination", whole))
    first, second = (
        BenchRow(what=what, ours=name, ours_seconds=seconds, peer="scikit-image, unwrap", peer_seconds=peer)
        for name, seconds in rows
    )
    return first, second


def _engines(scan: SimulatedScan, say: Say) -> tuple[BenchRow, ...]:
    """Run the network on every engine that this machine has, beside eager float32 torch."""
    trained = load_weights()
    field, mask = torch.from_numpy(scan.field_ppm), torch.from_numpy(scan.brain)
    features = network_features(field, mask, torch.full_like(field, 0.002), scan.echoes.grid)
    shape = pad_to_stride(scan.echoes.grid.shape, trained.network.config.stride)
    stack = torch.zeros(1, features.shape[0], *shape)
    x, y, z = features.shape[1:]
    stack[0, :, :x, :y, :z] = features
    say("network, eager torch")
    eager = _seconds(lambda: ENGINES["torch"](trained).run(stack))
    rows = []
    for name, make in ENGINES.items():
        if name == "torch":
            continue
        try:
            engine = make(trained)
        except EngineError as reason:
            say(f"{name} left out: {reason}")
            continue
        say(f"network, {engine.describe()!s}")
        engine.run(stack)
        rows.append(
            BenchRow(
                what=f"network forward, {_size(shape)}",
                ours=str(engine.describe()),
                ours_seconds=min(_seconds(lambda engine=engine: engine.run(stack)) for _ in range(2)),  # type: ignore[misc]
                peer="torch fp32, eager",
                peer_seconds=eager,
            )
        )
    return tuple(rows)
