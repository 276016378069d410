"""``qsm-plugin bench``: speed beside peers and memory, in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.console import JsonOption, print_json, progress_shown, results, table

if TYPE_CHECKING:
    from plugin.lab.bench.end_to_end import EndToEnd
    from recon.lab.bench.row import BenchRow, Say

PARTS = ("unwrapping", "engines", "inversion", "scaling", "intake", "end-to-end")


def bench(
    voxel_size_mm: Annotated[float, typer.Option(min=1.0, max=8.0, help="1 gives 160 x 192 x 160 voxels.")] = 1.0,
    parts: Annotated[str, typer.Option(metavar="NAME,...", help=f"Some of {', '.join(PARTS)}.")] = ",".join(PARTS),
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Also write JSON here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Time everything beside a peer on the same data in the same run; print a table."""
    import json

    from plugin.errors import ConfigurationError

    chosen = tuple(part.strip() for part in parts.split(","))
    if unknown := sorted(set(chosen) - set(PARTS)):
        raise ConfigurationError(f"no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    with progress_shown("bench") as say, tempfile.TemporaryDirectory(prefix="qsm-bench-") as work:
        rows, whole = _run(chosen, voxel_size_mm, Path(work), say)
    found = {
        "machine": machine(),
        "rows": [{**asdict(row), "ratio": row.ratio, "cpu_ratio": row.cpu_ratio} for row in rows],
        "end_to_end": asdict(whole) if whole else None,
    }
    if output is not None:
        output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json(found)
    else:
        _tell(found)


def _run(parts: tuple[str, ...], voxel_size_mm: float, work: Path, say: Say) -> tuple[list[BenchRow], EndToEnd | None]:
    from recon.lab.bench import physics

    say("simulating the head")
    scan = physics.bench_head(voxel_size_mm)
    rows: list[BenchRow] = []
    makers: dict[str, Callable[[], Iterable[BenchRow]]] = {
        "unwrapping": lambda: physics.unwrapping_rows(scan.echoes, say),
        "engines": lambda: physics.engine_rows(scan, say),
        "inversion": lambda: physics.inversion_rows(scan, say),
        "scaling": lambda: physics.scaling_rows(voxel_size_mm, say),
    }
    for name, made in makers.items():
        rows += made() if name in parts else ()
    sockets: list[str] = [part for part in ("intake", "end-to-end") if part in parts]
    if not sockets:
        return rows, None
    more, whole = _with_sockets(sockets, scan, work, say)
    return [*rows, *more], whole


def _with_sockets(
    parts: list[str],
    scan: Any,  # noqa: ANN401 - a SimulatedScan, whose module is imported late
    work: Path,
    say: Say,
) -> tuple[list[BenchRow], EndToEnd | None]:
    from dicom_io.synthetic import write_scan
    from plugin.lab.bench.end_to_end import end_to_end
    from plugin.lab.bench.intake import intake_rows

    say("writing the head as DICOM images")
    images = write_scan(scan.echoes, work / "scanner", vendor="siemens", study_seed=11)
    slices = scan.echoes.grid.shape[2]
    whole = end_to_end(images, slices, work / "end-to-end", say) if "end-to-end" in parts else None
    rows = list(intake_rows(images, work / "intake", say)) if "intake" in parts else []
    return rows, whole


def machine() -> dict[str, Any]:
    """Say what the times were taken on, and what else it was doing."""
    import os
    from importlib.metadata import version

    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return {
        "processor": names[0] if names else "unknown",
        "cores": len(os.sched_getaffinity(0)),
        "load_before": [round(load, 1) for load in os.getloadavg()],
        "versions": {name: version(name) for name in ("torch", "openvino", "numpy", "numba", "pynetdicom")},
    }


def _tell(found: dict[str, Any]) -> None:
    here = found["machine"]
    load = here["load_before"][0]
    results.print(
        table(
            f"{here['processor']}, {here['cores']} cores, load {load}",
            *("group", "work", "ours", "", "peer", "", "unit", "ratio", "CPU ratio", "aim"),
            rows=[
                (
                    *(row["group"], row["what"], row["ours"], f"{row['ours_value']:.2f}"),
                    *(row["peer"], f"{row['peer_value']:.2f}", row["unit"], f"{row['ratio']:.2f}"),
                    *(f"{row['cpu_ratio']:.2f}" if row["cpu_ratio"] else "", row["aim"]),
                )
                for row in found["rows"]
            ],
        )
    )
    if whole := found["end_to_end"]:
        results.print(
            f"{whole['images']} images sent in {whole['send_seconds']:.1f} s; {whole['qsm_images']} QSM images at "
            f"{whole['pacs']} {whole['wait_seconds']:.1f} s after the last response ({whole['engine']})",
            soft_wrap=True,
        )
        steps = ", ".join(f"{step} {seconds:.1f}" for step, seconds in whole["step_seconds"].items())
        results.print(f"  steps in seconds: {steps}", soft_wrap=True)
        memory = ", ".join(f"{role} {gib:.2f}" for role, gib in sorted(whole["peak_gib"].items()))
        results.print(f"  peak memory in GiB: {memory}", soft_wrap=True)
        cpu = ", ".join(f"{role} {seconds:.1f}" for role, seconds in sorted(whole["cpu_seconds"].items()))
        results.print(f"  processor time in seconds, start and warm-up included: {cpu}", soft_wrap=True)
