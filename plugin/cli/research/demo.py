"""``qsm-plugin demo``: scanner, service and PACS on this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from plugin.cli.console import JsonOption, SeedOption, VoxelSizeOption, note, print_table, progress_shown, show, tell

if TYPE_CHECKING:
    from plugin.lab.demo.run import DemoResult

EXAMPLES = ("qsm-plugin demo --output out/demo", "qsm-plugin demo --vendor ge --case lesion")

TYPICAL = (
    ("simulating", 15.0), ("starting", 25.0), ("sending", 4.0), ("acknowledged", 25.0), ("arrived", 3.0),
)  # fmt: skip
"""Steps, and their seconds on two cores."""


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for picture and working files.")] = Path(
        "out/demo"
    ),
    vendor: Annotated[str, typer.Option(help="Vendor of the simulated scanner.")] = "siemens",
    case: Annotated[str, typer.Option(help="Case of the simulated head.")] = "healthy",
    seed: SeedOption = 7,
    voxel_size_mm: VoxelSizeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a simulated head to the service by DICOM, wait for QSM at a PACS, and check it against the ground truth."""
    from plugin.lab.demo.run import run_demo

    with progress_shown("demo", TYPICAL, as_json=as_json) as say:
        result = run_demo(output, vendor=vendor, case=case, seed=seed, voxel_size_mm=voxel_size_mm, say=say)
    show(_as_json(result), as_json, lambda _found: _tell(result))


def _tell(result: DemoResult) -> None:
    rows = ({"what": what, "value": value} for what, value in _values(result))
    print_table("From scanner to PACS", rows, ("what", "value"))
    note(*(f"[yellow]note[/] {escape(warning)}" for warning in result.delivery.report["warnings"]))
    tell(f"picture: {result.picture}")


def _values(result: DemoResult) -> list[tuple[str, str]]:
    sent, judged, report = result.delivery, result.judgement, result.delivery.report
    made = report["provenance"]
    nuclei = judged.nuclei_ppb.items()
    return [
        ("images received", f"{sent.images} in {sent.send_seconds:.1f} s"),
        ("last image sent → QSM at the PACS", f"{sent.wait_seconds:.1f} s"),
        *((f"  {step}", f"{seconds:.1f} s") for step, seconds in report["seconds"].items()),
        ("PACS", sent.pacs),
        ("QSM images at the PACS", str(sent.qsm_images)),
        ("method, engine", f"{made['method']}, {made['engine']}"),
        ("NRMSE in the brain", f"{judged.nrmse_percent:.1f} %"),
        ("correlation in the brain", f"{judged.correlation:.3f}"),
        ("brain covered by the map", f"{judged.coverage_percent:.1f} %"),
        *((f"  {name.replace('_', ' ')}", f"{ours:.0f} ppb (truth {true:.0f})") for name, (ours, true) in nuclei),
    ]


def _as_json(result: DemoResult) -> dict[str, object]:
    sent = result.delivery
    return {
        "pacs": sent.pacs,
        "images": sent.images,
        "send_seconds": round(sent.send_seconds, 2),
        "wait_seconds": round(sent.wait_seconds, 2),
        "qsm_images": sent.qsm_images,
        **asdict(result.judgement),
        "report": sent.report,
        "picture": str(result.picture),
    }
