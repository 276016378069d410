"""``qsm-plugin demo``: scanner, service and PACS on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from plugin.cli.console import JsonOption, people, print_json, progress_shown, results

if TYPE_CHECKING:
    from plugin.lab.demo.run import DemoResult


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for picture and working files.")] = Path(
        "out/demo"
    ),
    vendor: Annotated[str, typer.Option(help="Whose scanner to simulate.")] = "siemens",
    case: Annotated[str, typer.Option(help="Which head to simulate.")] = "healthy",
    seed: Annotated[int, typer.Option(min=0, help="Number of the simulated subject.")] = 7,
    voxel_size_mm: Annotated[float | None, typer.Option(min=0.5, max=8.0, help="Smallest voxel edge.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Send a simulated head to the service by DICOM, wait for QSM at a PACS, and check it against the truth."""
    from plugin.lab.demo.run import run_demo

    with progress_shown("demo") as say:
        result = run_demo(output, vendor=vendor, case=case, seed=seed, voxel_size_mm=voxel_size_mm, say=say)
    if as_json:
        print_json(_as_json(result))
        return
    results.print(_table(result))
    for warning in result.report["warnings"]:
        people.print(f"[yellow]note[/] {warning}", soft_wrap=True)
    results.print(f"picture: {result.picture}", soft_wrap=True)


def _table(result: DemoResult) -> Table:
    """Lay out what was measured."""
    judged = result.judgement
    made = result.report["provenance"]
    laid_out = Table("what", "value", title="From scanner to PACS", title_justify="left")
    rows = [
        ("images received", f"{result.images} in {result.send_seconds:.1f} s"),
        ("last image sent → QSM at the PACS", f"{result.wait_seconds:.1f} s"),
        *((f"  {step}", f"{seconds:.1f} s") for step, seconds in result.report["seconds"].items()),
        ("PACS", result.pacs),
        ("QSM images at the PACS", str(result.qsm_images)),
        ("method, engine", f"{made['method']}, {made['engine']}"),
        ("NRMSE in the brain", f"{judged.nrmse_percent:.1f} %"),
        ("correlation in the brain", f"{judged.correlation:.3f}"),
        ("brain covered by the map", f"{judged.coverage_percent:.1f} %"),
        *(
            (f"  {name.replace('_', ' ')}", f"{found:.0f} ppb (truth {true:.0f})")
            for name, (found, true) in judged.nuclei_ppb.items()
        ),
    ]
    for row in rows:
        laid_out.add_row(*row)
    return laid_out


def _as_json(result: DemoResult) -> dict[str, object]:
    """Return the same as JSON values."""
    judged = result.judgement
    return {
        "pacs": result.pacs,
        "images": result.images,
        "send_seconds": round(result.send_seconds, 2),
        "wait_seconds": round(result.wait_seconds, 2),
        "qsm_images": result.qsm_images,
        "nrmse_percent": judged.nrmse_percent,
        "correlation": judged.correlation,
        "coverage_percent": judged.coverage_percent,
        "nuclei_ppb": judged.nuclei_ppb,
        "report": result.report,
        "picture": str(result.picture),
    }
