"""``qsm-plugin bench``: speed beside peers, and memory, in one run."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plugin.cli.bar import Typical
from plugin.cli.console import JsonOption, names_of, print_table, progress_shown, show, tell
from plugin.errors import ConfigurationError

if TYPE_CHECKING:
    from recon.lab.bench.row import BenchRow, Say

EXAMPLES = ("qsm-plugin bench", "qsm-plugin bench --parts unwrapping,engines --voxel-size-mm 2 --output bench.json")

COLUMNS = {
    "ours": "{ours}", "peer": "{peer}", "our\n{unit}": "{ours_value:.2f}", "peer's\n{unit}": "{peer_value:.2f}",
    "times\nfaster": "{ratio:.2f}", "times\nless CPU": "{cpu_ratio:.2f}",
}  # fmt: skip

_TYPICAL: dict[str, tuple[Typical, ...]] = {
    "unwrapping": (("offsets and combination", 20.0), ("scikit-image", 30.0)),
    "engines": (("network, eager", 12.0), ("network, ", 12.0)),
    "inversion": (("network with", 25.0), ("tfi", 250.0), ("tgv", 150.0)),
    "scaling": (("scaling", 30.0),) * 8,
    "end-to-end": (("writing", 5.0), ("starting", 25.0), ("sending", 5.0), ("acknowledged", 30.0), ("arrived", 3.0)),
    "intake": (("ours", 20.0), ("storescp", 10.0), ("Orthanc", 15.0)),
}
"""Steps of each part, in the order in which they run, and their seconds on two cores."""

PARTS = tuple(_TYPICAL)


def bench(
    voxel_size_mm: Annotated[float, typer.Option(min=1.0, max=8.0, help="1 gives 160 x 192 x 160 voxels.")] = 1.0,
    parts: Annotated[
        str, typer.Option(metavar="NAME,...", show_default="all", help=f"Some of {', '.join(PARTS)}.")
    ] = ",".join(PARTS),
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Also write JSON here.")] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PNG of what each process does on the whole way, and when.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Time everything beside a peer on the same data in the same run."""
    chosen = names_of(parts)
    if unknown := sorted(set(chosen) - set(PARTS)):
        raise ConfigurationError(f"no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    if picture is not None and "end-to-end" not in chosen:
        raise ConfigurationError("--picture shows the whole way; add end-to-end to --parts")
    typical = (("simulating", 15.0), *(step for name, steps in _TYPICAL.items() if name in chosen for step in steps))
    with (
        progress_shown("bench", typical, as_json=as_json) as say,
        tempfile.TemporaryDirectory(prefix="qsm-bench-") as work,
    ):
        rows, whole = _run(chosen, voxel_size_mm, Path(work), picture, say)
    found = {
        "machine": _machine(),
        "rows": [{**asdict(row), "ratio": row.ratio, "cpu_ratio": row.cpu_ratio} for row in rows],
        "end_to_end": whole,
    }
    if output is not None:
        output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    show(found, as_json, _tell)


def _run(
    parts: list[str], voxel_size_mm: float, work: Path, picture: Path | None, say: Say
) -> tuple[list[BenchRow], dict[str, Any] | None]:
    from dicom_io.synthetic import write_scan
    from plugin.lab.bench.end_to_end import end_to_end
    from plugin.lab.bench.intake import intake_rows
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
    if not {"intake", "end-to-end"} & set(parts):
        return rows, None
    say("writing the head as DICOM images")
    images = write_scan(scan.echoes, work / "scanner", vendor="siemens", study_seed=11)
    slices = scan.echoes.grid.shape[2]
    whole = end_to_end(images, slices, work / "end-to-end", say, picture) if "end-to-end" in parts else None
    rows += intake_rows(images, work / "intake", say) if "intake" in parts else ()
    return rows, whole


def _machine() -> dict[str, Any]:
    """Name what the times were taken on, and the load it had."""
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
    tell(f"{here['processor']}, {here['cores']} cores, load {here['load_before'][0]}")
    for (group, what, unit), rows in itertools.groupby(found["rows"], key=itemgetter("group", "what", "unit")):
        together = list(rows)
        print_table(f"{group}: {what}", together, {name.format(unit=unit): cell for name, cell in COLUMNS.items()})
        tell(*(f"aim: {aim}" for aim in dict.fromkeys(row["aim"] for row in together if row["aim"])))
    if whole := found["end_to_end"]:
        tell(
            f"{whole['images']} images sent in {whole['send_seconds']:.1f} s; {whole['qsm_images']} QSM images at "
            f"{whole['pacs']} {whole['wait_seconds']:.1f} s after the last response ({whole['engine']})",
            "  steps in seconds: " + ", ".join(f"{step} {s:.1f}" for step, s in whole["step_seconds"].items()),
            f"  peak memory in GiB: {_by_role(whole['peak_gib'], '.2f')}",
            f"  processor time in seconds, start and warm-up included: {_by_role(whole['cpu_seconds'], '.1f')}",
        )


def _by_role(values: dict[str, float], form: str) -> str:
    return ", ".join(f"{role} {value:{form}}" for role, value in sorted(values.items()))
