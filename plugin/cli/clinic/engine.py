"""``qsm-plugin engine``: build, list and time the engines that run the network."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.console import JsonOption, print_json, progress_shown, results, table

if TYPE_CHECKING:
    from recon.engines.engine_file import EngineFile

app = typer.Typer(help="Build, list and time the engines that run the network.", no_args_is_help=True)


@app.command()
def build(
    ahead_of_time: Annotated[
        bool,
        typer.Option(
            "--ahead-of-time", help="Build one portable TensorRT-RTX file for other machines; needs no GPU here."
        ),
    ] = False,
    target: Annotated[
        str, typer.Option(metavar="SM,...", help="GPUs of a portable file, such as sm_86,sm_120; all if not given.")
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder for a portable file.")
    ] = None,
    precision: Annotated[str, typer.Option(help="fp16 (float32 where accuracy asks for it) or fp32.")] = "fp16",
    as_json: JsonOption = False,
) -> None:
    """Build the engine for this machine's GPU, or ahead of time one file for many GPUs.

    Without --output the file goes where the plugin looks for it: the folder named in QSM_PLUGIN_ENGINES, else the
    user's cache. Copy the .plan and .json files there on the machine that has the GPU.
    """
    from plugin.errors import ConfigurationError

    if not ahead_of_time and (target or output):
        raise ConfigurationError("--target and --output are for --ahead-of-time; the engine of this machine is cached")
    with progress_shown("engine") as say:
        say(f"building in {precision}")
        file = _ahead_of_time(target, output, precision) if ahead_of_time else _here(precision)
    manifest = asdict(file.manifest)
    if as_json:
        print_json({"file": str(file.path), "manifest": manifest})
        return
    results.print(f"{file.path} ({len(file.plan) / 1e6:.1f} MB)", soft_wrap=True)
    for name in ("engine", "precision", "library", "library_version", "targets", "profile", "weights_sha256"):
        results.print(f"  {name}: {manifest[name]}", soft_wrap=True)


def _ahead_of_time(target: str, output: Path | None, precision: str) -> EngineFile:
    from recon.engines.folders import engines_folder
    from recon.engines.tensorrt.ahead_of_time import TARGETS, build_ahead_of_time
    from recon.network.weights import load_weights

    targets = tuple(part.strip() for part in target.split(",") if part.strip()) or TARGETS
    return build_ahead_of_time(load_weights(), output or engines_folder(), targets=targets, precision=precision)


def _here(precision: str) -> EngineFile:
    from recon.engines.gpu import find_gpu
    from recon.engines.tensorrt.torch_tensorrt import build as build_for_gpu
    from recon.network.weights import load_weights

    return build_for_gpu(load_weights(), find_gpu(), precision=precision)


@app.command("list")
def list_engines(as_json: JsonOption = False) -> None:
    """Show every engine, whether it runs here and is right on a known head, and why not; and the engine files."""
    from recon.engines.choose import try_engine
    from recon.engines.folders import engines_folder
    from recon.engines.status import engine_files
    from recon.network.weights import load_weights
    from recon.options import ENGINES

    trained = load_weights()
    with progress_shown("engine") as say:
        states = []
        for name in ENGINES:
            say(name)
            states.append(try_engine(name, trained)[1])
    files = list(engine_files(trained))
    if as_json:
        print_json({
            "weights_sha256": trained.sha256,
            "engines": [asdict(state) for state in states],
            "folder": str(engines_folder()),
            "files": [asdict(file) for file in files],
        })  # fmt: skip
        return
    rows: list[tuple[object, ...]] = [
        (s.name, s.state, _figure(s.rms_ppb), _figure(s.largest_ppb), f"{s.load_seconds:.1f}", s.reason) for s in states
    ]
    results.print(
        table(
            "Engines, in the order in which they are tried",
            *("engine", "state", "RMS ppb", "largest ppb", "load s", "what, or why not"),
            rows=rows,
        )
    )
    if files:
        results.print(
            table(
                f"Engine files in {engines_folder()}",
                *("file", "state", "what, or why not"),
                rows=[(file.name, file.state, file.reason) for file in files],
            )
        )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


@app.command()
def bench(
    size: Annotated[str, typer.Option(metavar="X,Y,Z", help="Volume in voxels.")] = "160,192,160",
    runs: Annotated[int, typer.Option(min=1, max=100, help="Runs after the first.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Time every engine that runs here on one volume."""
    from recon.engines.choose import try_engine
    from recon.engines.status import time_engine
    from recon.network.features import pad_to_stride
    from recon.network.weights import load_weights
    from recon.options import ENGINES

    trained = load_weights()
    config = trained.network.config
    shape = pad_to_stride(_sizes(size), config.stride)
    times, left_out = [], []
    with progress_shown("engine") as say:
        for name in ENGINES:
            say(name)
            engine, attempt = try_engine(name, trained)
            if engine is None:
                left_out.append({"name": name, "reason": attempt.reason})
            else:
                first, best = time_engine(engine, shape, config.inputs, runs)
                what = str(engine.describe())
                times.append({"name": name, "description": what, "first_seconds": first, "seconds": best})
    _tell_times(shape, times, left_out, as_json)


def _sizes(text: str) -> tuple[int, int, int]:
    """Read ``X,Y,Z``.

    Raises
    ------
    ConfigurationError
        It is something else.
    """
    from plugin.errors import ConfigurationError

    try:
        x, y, z = (int(part) for part in text.split(","))
        if min(x, y, z) < 1:
            raise ValueError
    except ValueError:
        raise ConfigurationError(f"size {text!r}: expected three positive numbers, such as 160,192,160") from None
    return (x, y, z)


def _tell_times(
    shape: tuple[int, ...], times: list[dict[str, Any]], left_out: list[dict[str, str]], as_json: bool
) -> None:
    if as_json:
        print_json({"shape": shape, "engines": times, "left_out": left_out})
        return
    reference = next((t["seconds"] for t in times if t["name"] == "torch"), None)
    results.print(
        table(
            f"Network forward on {' x '.join(map(str, shape))} voxels",
            *("engine", "first s", "s", "times faster than torch"),
            rows=[
                (
                    t["description"],
                    f"{t['first_seconds']:.3f}",
                    f"{t['seconds']:.3f}",
                    f"{reference / t['seconds']:.1f}" if reference else "",
                )
                for t in times
            ],
        )
    )
    for one in left_out:
        results.print(f"left out: {one['name']}: {one['reason']}", soft_wrap=True)
