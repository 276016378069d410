"""Speed of the physics, each row beside a peer on the same data in the same run, so that ratios are comparable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from recon.engines.choose import choose_engine, try_engine
from recon.engines.torch_eager import TorchEngine
from recon.field.fit import unwrap_echoes
from recon.field.offsets.mcpc3ds import Offsets
from recon.field.template import unwrapped_template
from recon.field.total import fit_phase
from recon.inversion.methods import find_method
from recon.lab.bench.row import BenchRow, Say, Seconds, best_of, row, size_of
from recon.lab.evaluation.rivals import skimage_unwrap
from recon.lab.simulation.scan import SimulatedScan, simulate_case, true_total
from recon.masking.head import head_mask
from recon.network.features import field_tensors, network_features, pad_to_stride
from recon.network.weights import load_weights
from recon.options import AUTO, ENGINE_NAMES
from recon.types import BoolArray, FloatArray, GradientEcho

_SIZES = (1.0, 1.26, 1.59, 2.0)
"""Voxel edges relative to the smallest: each next size has half as many voxels."""
_ITERATIVE = ("tfi", "tgv")
_ITERATIVE_AIM = "30 times faster"


def bench_head(voxel_size_mm: float) -> SimulatedScan:
    """Return the head that everything is timed on; 1 mm gives 160 x 192 x 160 voxels and four echoes."""
    return simulate_case("healthy", 11, voxel_size_mm=voxel_size_mm)


def unwrapping_rows(echoes: GradientEcho, say: Say) -> Iterator[BenchRow]:
    """Unwrap, alone and with offsets and combination, beside scikit-image's unwrapping, in the same head mask."""
    head = head_mask(echoes.magnitude[0])
    say("unwrapping, offsets and combination")
    fit_phase(echoes, head, core=head)
    _unwrap_all(echoes, head)
    alone = best_of(3, lambda: _unwrap_all(echoes, head))
    whole = best_of(3, lambda: fit_phase(echoes, head, core=head))
    say("unwrapping with scikit-image")
    peer = best_of(1, lambda: [skimage_unwrap(phase, head) for phase in echoes.phase_rad])
    what = f"{len(echoes.echo_times_s)} echoes of {size_of(echoes.grid.shape)}, head mask"
    for name, seconds in (("unwrap", alone), ("unwrap + offsets + combination", whole)):
        yield row("unwrapping", what, name, seconds, "scikit-image, unwrap", peer)


def _unwrap_all(echoes: GradientEcho, head: BoolArray) -> FloatArray:
    """Unwrap all echoes and nothing else: the template in space, the echoes from it in time."""
    template, unwrapped = unwrapped_template(echoes, head)
    none = np.zeros_like(unwrapped.phase_rad)
    guess = unwrapped.phase_rad / np.float32(template.time_s)
    return unwrap_echoes(echoes, guess, Offsets(odd_rad=none, even_rad=none, template_rad=none))


def engine_rows(scan: SimulatedScan, say: Say) -> Iterator[BenchRow]:
    """Run the network on every engine that this machine has, beside eager float32 torch."""
    trained = load_weights()
    total = true_total(scan)
    features = network_features(field_tensors(total))
    shape = pad_to_stride(total.grid.shape, trained.network.config.stride)
    stack = torch.zeros(1, features.shape[0], *shape)
    x, y, z = features.shape[1:]
    stack[0, :, :x, :y, :z] = features
    say("network, eager torch")
    eager = best_of(1, lambda: TorchEngine(trained).run(stack))
    for name in ENGINE_NAMES[:-1]:  # the last is the reference
        engine, attempt = try_engine(name, trained)
        if engine is None:
            say(f"{name} left out: {attempt.reason}")
            continue
        say(f"network, {engine.describe()}")
        run = partial(engine.run, stack.to(engine.device))
        run()
        what = f"network forward, {size_of(shape)}"
        yield row("engines", what, str(engine.describe()), best_of(2, run), "torch fp32, eager", eager)


def inversion_rows(scan: SimulatedScan, say: Say) -> Iterator[BenchRow]:
    """Invert by the network, closed-form inputs included, beside iterative single-step inversion."""
    total = true_total(scan)
    say("inversion, network with closed-form inputs")
    invert = partial(find_method("network"), total, AUTO)
    invert()
    ours = best_of(2, invert)
    name = str(choose_engine(AUTO).prepare().describe())
    for method in _ITERATIVE:
        say(f"inversion, {method}: this takes minutes")
        peer = best_of(1, partial(find_method(method), total, AUTO))
        what = f"total field to susceptibility, {size_of(total.grid.shape)}"
        yield row("inversion", what, f"network, {name}", ours, f"{method}, this package's", peer, _ITERATIVE_AIM)


def scaling_rows(voxel_size_mm: float, say: Say) -> Iterator[BenchRow]:
    """Show what more voxels and more echoes cost; the peer is the same work on the largest, so ratios are costs."""
    volumes: list[tuple[str, Seconds]] = []
    largest: SimulatedScan | None = None
    for relative in _SIZES:
        scan = bench_head(voxel_size_mm * relative)
        largest = largest or scan
        shape = scan.echoes.grid.shape
        say(f"scaling, {size_of(shape)}")
        _fit_and_invert(scan)
        volumes.append((size_of(shape), best_of(1, partial(_fit_and_invert, scan))))
    assert largest is not None
    yield from _scaling("voxels", "phase + inversion, 4 echoes", volumes)
    echoes = []
    for count in (4, 3, 2, 1):
        some = replace(
            largest.echoes,
            magnitude=largest.echoes.magnitude[:count],
            phase_rad=largest.echoes.phase_rad[:count],
            echo_times_s=largest.echoes.echo_times_s[:count],
        )
        head = head_mask(some.magnitude[0])
        say(f"scaling, {count} echoes")
        echoes.append((f"{count} echoes", best_of(2, partial(fit_phase, some, head, core=head))))
    yield from _scaling("echoes", f"phase, {size_of(largest.echoes.grid.shape)}", echoes)


def _fit_and_invert(scan: SimulatedScan) -> None:
    head = head_mask(scan.echoes.magnitude[0])
    fit_phase(scan.echoes, head, core=head)
    find_method("network")(true_total(scan), AUTO)


def _scaling(group: str, what: str, times: list[tuple[str, Seconds]]) -> Iterator[BenchRow]:
    largest, most = times[0]
    for name, seconds in times:
        yield row(group, what, name, seconds, largest, most)
