"""``qsm-plugin evaluate``: how good fields and maps are, on simulated heads whose truth is known."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugin.cli.console import JsonOption, people, print_json, progress_shown, results, table

if TYPE_CHECKING:
    from recon.lab.evaluation.cohort import CohortRow
    from recon.lab.evaluation.field import FieldRow
    from recon.lab.evaluation.inversion import InversionResult, InversionRow

app = typer.Typer(help="Measure fields and maps against simulated truth; without a command, the inversion.")

CasesOption = Annotated[str, typer.Option(metavar="A,B,…", help="Cases; all if not given.")]
SizeOption = Annotated[
    float | None, typer.Option(min=0.5, max=8.0, help="Smallest voxel edge; the case's own if not given.")
]
_EVALUATION = Path("out/evaluation")
SeedOption = Annotated[int, typer.Option(min=0, help="Number of the simulated subject.")]


@app.callback(invoke_without_command=True)
def _by_default(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        inversion(output=_EVALUATION)


@app.command()
def field(
    cases: CasesOption = "", seed: SeedOption = 0, voxel_size_mm: SizeOption = None, as_json: JsonOption = False
) -> None:
    """Judge the total field: wrap errors, error in ppb, mask and time, beside two other ways of unwrapping."""
    from recon.lab.evaluation.field import evaluate_field
    from recon.lab.simulation.draw.cases import CASES

    with progress_shown("evaluate field") as say:
        rows = list(evaluate_field(_names(cases, CASES), seed=seed, voxel_size_mm=voxel_size_mm, progress=say))
    if as_json:
        print_json({"rows": [asdict(row) for row in rows]})
        return
    _print_field(rows)


@app.command()
def inversion(
    methods: Annotated[str, typer.Option(metavar="A,B,…", help="Methods; all if not given.")] = "",
    cases: CasesOption = "",
    seed: SeedOption = 0,
    voxel_size_mm: SizeOption = None,
    engine: Annotated[str, typer.Option(help="Inference engine of the network.")] = "auto",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for maps, table.md, table.json and figures; one in it goes on."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge the inversion methods, from the true field and from wrapped phase, by the benchmarks' metrics."""
    from recon.lab.evaluation.inversion import evaluate_inversion
    from recon.lab.evaluation.report import flat
    from recon.lab.evaluation.store import Question, Store
    from recon.lab.simulation.draw.cases import CASES
    from recon.options import METHODS

    question = Question(seed=seed, voxel_size_mm=voxel_size_mm)
    known = Store(folder=output / "maps", question=question) if output else None
    with progress_shown("evaluate inversion") as say:
        found = evaluate_inversion(
            _names(methods, METHODS),
            _names(cases, CASES),
            seed=seed,
            voxel_size_mm=voxel_size_mm,
            engine=engine,
            known=known,
            progress=say,
        )
        rows = _tabulated(found, output)
    if as_json:
        print_json({"rows": [flat(row) for row in rows]})
        return
    _print_inversion(rows)


def _tabulated(found: Iterable[InversionResult], output: Path | None) -> list[InversionRow]:
    """Return the rows of results; into a folder go a table, maps and a figure for each case."""
    from recon.lab.evaluation.report import draw, write_tables

    rows: list[InversionRow] = []
    for (case, source), group in itertools.groupby(found, key=_case_and_source):
        maps = list(group)
        rows += [row for result in maps for row in result.rows]
        if output:
            # After every case, so that a long evaluation that is interrupted leaves what it has.
            write_tables(rows, output)
            draw(maps, output / f"{case}-{source.replace(' ', '-')}.png")
    return rows


@app.command()
def cohort(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for rows, table and figure; a study in it goes on.")
    ] = Path("out/cohort"),
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")] = 100,
    first: Annotated[int, typer.Option(min=0, help="Number of the first one, to share a study among processes.")] = 0,
    methods: Annotated[str, typer.Option(metavar="A,B,…", help="Methods.")] = "network,tfi,tgv",
    engine: Annotated[str, typer.Option(help="Inference engine of the network.")] = "auto",
    tuning: Annotated[
        bool, typer.Option("--tuning", help="Other patients: those that constants are settled on.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Study simulated patients with bleeds, from DICOM to DICOM: count failures, compare with iterative inversion."""
    from plugin.lab.cohort import Study, present_rows, run_cohort
    from recon.inversion.methods import find_method
    from recon.lab.evaluation.cohort_report import write_cohort
    from recon.lab.simulation.draw.seeds import Purpose
    from recon.options import METHODS

    wanted = _names(methods, METHODS)
    for method in wanted:
        find_method(method)
    study = Study(folder=output, engine=engine, purpose=Purpose.TUNING if tuning else Purpose.EVALUATION)
    numbers = range(first, first + patients)
    with progress_shown("evaluate cohort") as say:
        for number, _ in enumerate(run_cohort(numbers, wanted, study, say)):
            say(f"{number + 1} of {len(numbers) * len(wanted)} maps judged")
    rows, others = present_rows(study)
    write_cohort(rows, output)
    _print_cohort(rows, others, as_json=as_json)
    people.print(f"{output / 'cohort.md'}, cohort.json, cohort.png", soft_wrap=True)


@app.command()
def robustness(
    method: Annotated[str, typer.Option(help="Inversion method.")] = "network",
    engine: Annotated[str, typer.Option(help="Inference engine of the network.")] = "auto",
    voxel_size_mm: Annotated[float, typer.Option(min=1.0, max=4.0, help="1 for the figures that count.")] = 1.0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for robustness-METHOD.json.")] = _EVALUATION,
    as_json: JsonOption = False,
) -> None:
    """Judge whether a map follows the source's strength, not B0's direction or the voxels' shape."""
    import json

    from recon.inversion.methods import find_method
    from recon.lab.evaluation.robustness import evaluate_geometry, evaluate_spheres, sphere_line

    find_method(method)
    with progress_shown("evaluate robustness") as say:
        spheres = evaluate_spheres(method, engine=engine, voxel_size_mm=voxel_size_mm, say=say)
        regions = list(evaluate_geometry(method, engine=engine, voxel_size_mm=voxel_size_mm, say=say))
    slope, r_squared = sphere_line(spheres)
    worst = max(regions, key=lambda row: abs(row.change_percent))
    said = {
        "method": method,
        "spheres": {"slope": slope, "r_squared": r_squared, "rows": [asdict(row) for row in spheres]},
        "regions": {"largest_change_percent": worst.change_percent, "rows": [asdict(row) for row in regions]},
    }
    output.mkdir(parents=True, exist_ok=True)
    (output / f"robustness-{method}.json").write_text(json.dumps(said, indent=2) + "\n")
    if as_json:
        print_json(said)
        return
    cells: list[tuple[object, ...]] = [
        (f"{r.true_ppm:.2f}", f"{r.map_ppm:.2f}", f"{r.radius_mm:.1f}", r.voxels) for r in spheres
    ]
    results.print(table(f"{method}: spheres", "true ppm", "map ppm", "radius mm", "voxels", rows=cells))
    results.print(f"slope {slope:.3f}, R² {r_squared:.4f}")
    cells = [
        (r.condition, r.region, f"{r.true_ppb:.0f}", f"{r.mean_ppb:.0f}", f"{r.change_percent:+.1f}") for r in regions
    ]
    results.print(table(f"{method}: deep grey nuclei", "scan", "region", "true ppb", "map ppb", "change %", rows=cells))
    results.print(f"largest change {worst.change_percent:+.1f} % ({worst.region}, {worst.condition})")


def _case_and_source(result: InversionResult) -> tuple[str, str]:
    return result.rows[0].case, result.rows[0].source


def _names(given: str, known: Iterable[str]) -> list[str]:
    """Return the names of a comma-separated option; all that there are when it is empty."""
    return [name.strip() for name in given.split(",") if name.strip()] or list(known)


def _print_field(rows: list[FieldRow]) -> None:
    cells: list[tuple[object, ...]] = [
        (
            row.case,
            row.method,
            f"{row.wrap_errors_percent:.3f}",
            f"{row.rms_ppb:.1f}",
            f"{row.p99_ppb:.1f}",
            "" if row.mask_dice is None else f"{row.mask_dice:.3f}",
            f"{row.seconds:.1f}",
        )
        for row in rows
    ]
    heads = ("case", "method", "2π errors %", "RMS ppb", "99 % ppb", "mask Dice", "s")
    results.print(table("Total field against the truth", *heads, rows=cells))


def _print_cohort(rows: list[CohortRow], others: int, *, as_json: bool) -> None:
    """Print the summary of the rows of this code and these weights, and say how many others were left aside."""
    from recon.lab.evaluation.cohort import better_than_all, summarise

    summaries, (won, judged) = summarise(rows), better_than_all(rows)
    if others:
        people.print(f"{others} rows of another state of the code, other weights or other patients are left aside.")
    if as_json:
        print_json({"summary": [asdict(s) for s in summaries], "better_than_all": won, "judged_by_all": judged})
        return
    heads = ("method", "patients", "failures", "NRMSE % median", "worst", "XSIM", "bleed map/truth", "network better")
    cells: list[tuple[object, ...]] = [
        (
            s.method,
            s.patients,
            len(s.failed),
            f"{s.nrmse_median:.1f}",
            f"{s.nrmse_worst:.1f}",
            f"{s.xsim_median:.3f}",
            f"{s.bleed_slope_median:.2f}",
            "" if s.better is None else s.better,
        )
        for s in summaries
    ]
    results.print(table("Patients with bleeds, from DICOM to DICOM", *heads, rows=cells))
    if judged:  # none, where only one of them was asked for
        results.print(f"The network is better than every peer on {won} of {judged} patients.")


def _print_inversion(rows: list[InversionRow]) -> None:
    """Print one table for each case and field; all metrics are in the JSON and in the files."""
    heads = ("method", "judged on", "NRMSE %", "detr. %", "XSIM", "HFEN %", "corr.", "DGM", "s")
    for (case, source), group in itertools.groupby(rows, key=lambda row: (row.case, row.source)):
        cells: list[tuple[object, ...]] = [
            (
                row.method,
                row.judged,
                f"{row.score.nrmse:.1f}",
                f"{row.score.nrmse_detrend:.1f}",
                f"{row.score.xsim:.3f}",
                f"{row.score.hfen:.1f}",
                f"{row.score.correlation:.3f}",
                "–" if row.score.dgm_slope is None else f"{row.score.dgm_slope:.2f}",
                f"{row.seconds:.1f}",
            )
            for row in group
        ]
        results.print(table(f"{case}: maps from {source} against the truth (DGM: slope)", *heads, rows=cells))
