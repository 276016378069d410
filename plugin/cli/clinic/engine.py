"""``qsm-plugin engine``: build, list and time the engines that run the network."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from plugin.cli.bar import evenly
from plugin.cli.console import (
    JsonOption,
    examples,
    names_of,
    print_json,
    print_table,
    progress_shown,
    show,
    tell,
)
from plugin.errors import ConfigurationError

app = typer.Typer(help="Build, list and time the engines that run the network.", no_args_is_help=True)

BUILT = ("engine", "precision", "library", "library_version", "targets", "profile", "weights_sha256")
"""What is shown of a manifest."""

STATE_COLUMNS = {
    "engine": "{name}", "state": "{state}", "RMS ppb": "{rms_ppb:.3f}", "largest ppb": "{largest_ppb:.3f}",
    "load s": "{load_seconds:.1f}", "what it is, or why it does not run": "{reason}",
}  # fmt: skip
FILE_COLUMNS = {"file": "{name}", "state": "{state}", "what it is, or why it does not fit": "{reason}"}
TIME_COLUMNS = {
    "engine": "{description}", "first run, s": "{first_seconds:.3f}", "best run, s": "{seconds:.3f}",
    "times faster than torch": "{ratio:.1f}",
}  # fmt: skip


@app.command(
    epilog=examples(("qsm-plugin engine build", "qsm-plugin engine build --ahead-of-time --target sm_86,sm_120"))
)
def build(
    ahead_of_time: Annotated[
        bool, typer.Option("--ahead-of-time", help="Build one TensorRT-RTX file for other machines, without a GPU.")
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
    from recon.engines.folders import engines_folder
    from recon.engines.gpu import find_gpu
    from recon.engines.tensorrt.ahead_of_time import TARGETS, build_ahead_of_time
    from recon.engines.tensorrt.torch_tensorrt import build as build_for_gpu
    from recon.network.weights import load_weights

    if not ahead_of_time and (target or output):
        raise ConfigurationError("--target and --output are for --ahead-of-time; the engine of this machine is cached")
    trained = load_weights()
    with progress_shown("engine", as_json=as_json) as say:
        say(f"building in {precision}; this takes up to some minutes")
        if ahead_of_time:
            folder, targets = output or engines_folder(), tuple(names_of(target)) or TARGETS
            file = build_ahead_of_time(trained, folder, targets=targets, precision=precision)
        else:
            file = build_for_gpu(trained, find_gpu(), precision=precision)
    manifest = asdict(file.manifest)
    built = (f"{file.path} ({len(file.plan) / 1e6:.1f} MB)", *(f"  {name}: {manifest[name]}" for name in BUILT))
    show({"file": str(file.path), "manifest": manifest}, as_json, lambda _found: tell(*built))


@app.command("list", epilog=examples(("qsm-plugin engine list",)))
def list_engines(as_json: JsonOption = False) -> None:
    """Show every engine, whether it runs here and agrees with the reference, else why not; and the engine files."""
    from recon.engines.choose import try_engine
    from recon.engines.folders import engines_folder
    from recon.engines.status import engine_files
    from recon.network.weights import load_weights
    from recon.options import ENGINES

    trained, states = load_weights(), []
    with progress_shown("engine", evenly(len(ENGINES)), as_json=as_json) as say:
        for name in ENGINES:
            say(name)
            states.append(asdict(try_engine(name, trained)[1]))
    files, folder = [asdict(file) for file in engine_files(trained)], str(engines_folder())
    if as_json:
        print_json({"weights_sha256": trained.sha256, "engines": states, "folder": folder, "files": files})
        return
    print_table("Engines, in the order in which they are tried", states, STATE_COLUMNS)
    if files:
        print_table(f"Engine files in {folder}", files, FILE_COLUMNS)


@app.command(epilog=examples(("qsm-plugin engine bench --size 160,192,160 --runs 5",)))
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
    times: list[dict[str, Any]] = []
    left_out: list[dict[str, str]] = []
    with progress_shown("engine", evenly(len(ENGINES)), as_json=as_json) as say:
        for name in ENGINES:
            say(name)
            engine, attempt = try_engine(name, trained)
            if engine is None:
                left_out.append({"name": name, "reason": attempt.reason})
                continue
            first, best = time_engine(engine, shape, config.inputs, runs)
            said = str(engine.description)
            times.append({"name": name, "description": said, "first_seconds": first, "seconds": best})
    if as_json:
        print_json({"shape": shape, "engines": times, "left_out": left_out})
        return
    reference = next((one["seconds"] for one in times if one["name"] == "torch"), None)
    rows = [{**one, "ratio": reference / one["seconds"] if reference else None} for one in times]
    print_table(f"Network forward on {' x '.join(map(str, shape))} voxels", rows, TIME_COLUMNS)
    tell(*(f"left out: {one['name']}: {one['reason']}" for one in left_out))


def _sizes(text: str) -> tuple[int, int, int]:
    """Read ``X,Y,Z``."""
    match = re.fullmatch(r"\s*([1-9]\d*)\s*,\s*([1-9]\d*)\s*,\s*([1-9]\d*)\s*", text)
    if match is None:
        raise ConfigurationError(f"size {text!r}: expected three positive numbers, such as 160,192,160")
    x, y, z = map(int, match.groups())
    return x, y, z
