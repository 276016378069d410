"""``qsm-plugin evaluate``: how good fields and maps are, on simulated heads whose ground truth is known."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugin.cli.bar import evenly
from plugin.cli.console import (
    EngineOption,
    JsonOption,
    MethodOption,
    SeedOption,
    VoxelSizeOption,
    examples,
    names_of,
    print_json,
    print_table,
    progress_shown,
    tell,
)
from plugin.cli.development.studies import cohort, in_vivo, uncertainty, verdict

if TYPE_CHECKING:
    from recon.lab.evaluation.store import InversionResult, InversionRow

app = typer.Typer(help="Measure fields and maps against the simulated ground truth; without a command, the inversion.")

CasesOption = Annotated[
    str, typer.Option(metavar="A,B,…", help="Cases; all of the plain ones if not given, an unknown name lists all.")
]
_EVALUATION = Path("out/evaluation")

FIELD_COLUMNS = {
    "method": "{method!s}", "2π\nerr. %": "{wrap_errors_percent:.3f}", "RMS\nppb": "{rms_ppb:.1f}",
    "robust\nppb": "{robust_ppb:.2f}", "> 50\nppb %": "{above_50ppb_percent:.3f}",
    "noise\nppb": "{noise_ppb:.2f}", "in 2 σ\n%": "{within_two_noise_percent:.1f}",
    "left\nout %": "{left_out_percent:.2f}", "mask\nDice": "{mask_dice:.3f}",
}  # fmt: skip
PART_COLUMNS = {
    "part of the brain": "{part}", "share %": "{share_percent:.1f}", "RMS ppb": "{rms_ppb:.1f}",
    "robust ppb": "{robust_ppb:.2f}", "> 50 ppb %": "{above_50ppb_percent:.3f}",
}  # fmt: skip
EFFECT_COLUMNS = {
    "effect": "{effect!s}", "robust\nppb": "{robust_ppb:.2f}", "> 50\nppb %": "{above_50ppb_percent:.3f}",
    "left\nout %": "{left_out_percent:.2f}",
    "NRMSE %\ntrue field": "{true_nrmse_percent:.1f}", "NRMSE %\nfrom phase": "{phase_nrmse_percent:.1f}",
    "cost\npoints": "{cost_points:+.1f}",
}  # fmt: skip
INVERSION_COLUMNS = {
    "method": "{method!s}", "judged on": "{judged}", "NRMSE %": "{nrmse:.1f}", "detr. %": "{nrmse_detrend:.1f}",
    "XSIM": "{xsim:.3f}", "HFEN %": "{hfen:.1f}", "corr.": "{correlation:.3f}", "DGM": "{dgm_slope:.2f}",
    "s": "{seconds:.1f}",
}  # fmt: skip
SPHERE_COLUMNS = {
    "true ppm": "{true_ppm:.2f}", "map ppm": "{map_ppm:.2f}", "radius mm": "{radius_mm:.1f}", "voxels": "{voxels}",
}  # fmt: skip
REGION_COLUMNS = {
    "scan": "{condition}", "region": "{region!s}", "true ppb": "{true_ppb:.0f}", "map ppb": "{mean_ppb:.0f}",
    "change %": "{change_percent:+.1f}",
}  # fmt: skip


@app.callback(invoke_without_command=True)
def _by_default(context: typer.Context, as_json: JsonOption = False) -> None:
    if context.invoked_subcommand is None:
        inversion(output=_EVALUATION, as_json=as_json)
    elif as_json:  # given before the command, it is meant for it
        context.default_map = {context.invoked_subcommand: {"as_json": True}}


@app.command(
    epilog=examples(("qsm-plugin evaluate field --cases healthy,lesion-hard", "qsm-plugin evaluate field --effects"))
)
def field(
    cases: CasesOption = "",
    seed: SeedOption = 0,
    voxel_size_mm: VoxelSizeOption = None,
    effects: Annotated[
        bool,
        typer.Option(
            "--effects", help="Measure each effect of the hard cases alone, on the case healthy if none is given."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge the total field: wrap errors, error in ppb, noise and mask, beside two other ways of unwrapping."""
    from recon.lab.evaluation.field import OURS, RIVALS, evaluate_field
    from recon.lab.simulation.draw.cases import CASES

    if effects:
        _tell_effects(names_of(cases) or ["healthy"], seed, voxel_size_mm, as_json=as_json)
        return
    wanted = names_of(cases) or list(CASES)
    steps = evenly(len(wanted) * (3 + len(RIVALS)))
    with progress_shown("evaluate field", steps, as_json=as_json) as say:
        rows = [asdict(row) for row in evaluate_field(wanted, seed=seed, voxel_size_mm=voxel_size_mm, progress=say)]
    if as_json:
        print_json({"rows": rows})
        return
    for case, group in itertools.groupby(rows, key=lambda row: row["case"]):
        found = list(group)
        print_table(f"{case}: total field against the ground truth", found, FIELD_COLUMNS)
        ours = next(row for row in found if row["method"] == OURS)
        print_table(f"{case}: where our errors are", ours["parts"], PART_COLUMNS)  # the others' are in the JSON


def _tell_effects(cases: list[str], seed: int, voxel_size_mm: float | None, *, as_json: bool) -> None:
    from recon.lab.evaluation.effects import evaluate_effects
    from recon.lab.simulation.draw.effects import ALL_EFFECTS

    steps = evenly(len(cases) * (1 + len(ALL_EFFECTS)))
    with progress_shown("evaluate field", steps, as_json=as_json) as say:
        rows = [asdict(row) for row in evaluate_effects(cases, seed=seed, voxel_size_mm=voxel_size_mm, progress=say)]
    if as_json:
        print_json({"rows": rows})
        return
    for case, group in itertools.groupby(rows, key=lambda row: row["case"]):
        print_table(f"{case}: what each effect alone costs the network", group, EFFECT_COLUMNS)


@app.command(
    epilog=examples(("qsm-plugin evaluate inversion --methods network,tgv --cases healthy --output out/evaluation",))
)
def inversion(
    methods: Annotated[str, typer.Option(metavar="A,B,…", help="Methods; all if not given.")] = "",
    cases: CasesOption = "",
    seed: SeedOption = 0,
    voxel_size_mm: VoxelSizeOption = None,
    engine: EngineOption = "auto",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for maps, table.md, table.json and figures; one there is resumed."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge the inversion methods, from the true field and from wrapped phase, by the benchmarks' metrics."""
    from recon.lab.evaluation.inversion import evaluate_inversion
    from recon.lab.evaluation.report import by_wavelength, flat
    from recon.lab.simulation.draw.cases import CASES
    from recon.options import METHODS

    chosen, wanted = names_of(methods) or list(METHODS), names_of(cases) or list(CASES)
    steps = evenly(2 * len(wanted) * (1 + len(chosen)))
    with progress_shown("evaluate inversion", steps, as_json=as_json) as say:
        found = evaluate_inversion(
            chosen,
            wanted,
            seed=seed,
            voxel_size_mm=voxel_size_mm,
            engine=engine,
            folder=output / "maps" if output else None,
            progress=say,
        )
        rows = _tabulated(found, output)
    if as_json:
        print_json({"rows": [flat(row) for row in rows]})
        return
    for (case, source), group in itertools.groupby(rows, key=lambda row: (row.case, row.source)):
        some = list(group)
        title = f"{case}: maps from {source} against the ground truth (DGM: slope)"
        print_table(title, map(flat, some), INVERSION_COLUMNS)  # all metrics are in the JSON and in the files
        bands = [band.name for band in some[0].bands]
        columns = {"of": "{of!s}"} | {
            name.replace(" to ", "-").replace(" mm", "\nmm"): f"{{{name}:.1f}}" for name in bands
        }
        print_table(f"{case}, {source}: error by wavelength, in % of the whole signal", by_wavelength(some), columns)


def _tabulated(found: Iterable[InversionResult], output: Path | None) -> list[InversionRow]:
    """Return the rows of results; with a folder, write a table, and a figure for each case."""
    from recon.lab.evaluation.report import draw, write_tables

    rows: list[InversionRow] = []
    by_case = itertools.groupby(found, key=lambda result: (result.rows[0].case, result.rows[0].source))
    for (case, source), group in by_case:
        maps = list(group)
        rows += [row for result in maps for row in result.rows]
        if output:
            # After every case, so that a long evaluation that is interrupted keeps what it has.
            write_tables(rows, output)
            draw(maps, output / f"{case}-{source.replace(' ', '-')}.png")
    return rows


app.command(epilog=examples(("qsm-plugin evaluate cohort --patients 10 --output out/cohort",)))(cohort)
app.command(epilog=examples(("qsm-plugin evaluate verdict --heads 75 --faults 1",)))(verdict)
app.command(epilog=examples(("qsm-plugin evaluate uncertainty --heads 8",)))(uncertainty)
app.command(epilog=examples(("qsm-plugin evaluate in-vivo FOLDER --methods network,tikhonov",)))(in_vivo)


@app.command(epilog=examples(("qsm-plugin evaluate robustness --method network --voxel-size-mm 2",)))
def robustness(
    method: MethodOption = "network",
    engine: EngineOption = "auto",
    voxel_size_mm: Annotated[float, typer.Option(min=1.0, max=4.0, help="1 for the figures that count.")] = 1.0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for robustness-METHOD.json.")] = _EVALUATION,
    as_json: JsonOption = False,
) -> None:
    """Judge whether a map follows the source's strength, not B0's direction or the voxels' shape."""
    import json

    from recon.inversion.methods import find_method
    from recon.lab.evaluation.robustness import TILTS_DEG, evaluate_geometry, evaluate_spheres, sphere_line

    find_method(method)
    steps = evenly(2 * (1 + len(TILTS_DEG) + 1))  # spheres, tilts and one other shape of the voxels
    with progress_shown("evaluate robustness", steps, as_json=as_json) as say:
        spheres = evaluate_spheres(method, engine=engine, voxel_size_mm=voxel_size_mm, say=say)
        regions = list(evaluate_geometry(method, engine=engine, voxel_size_mm=voxel_size_mm, say=say))
    slope, r_squared = sphere_line(spheres)
    worst = max(regions, key=lambda row: abs(row.change_percent))
    sphere_rows, region_rows = [asdict(row) for row in spheres], [asdict(row) for row in regions]
    found = {
        "method": method,
        "spheres": {"slope": slope, "r_squared": r_squared, "rows": sphere_rows},
        "regions": {"largest_change_percent": worst.change_percent, "rows": region_rows},
    }
    output.mkdir(parents=True, exist_ok=True)
    (output / f"robustness-{method}.json").write_text(json.dumps(found, indent=2) + "\n")
    if as_json:
        print_json(found)
        return
    print_table(f"{method}: spheres", sphere_rows, SPHERE_COLUMNS)
    tell(f"slope {slope:.3f}, R² {r_squared:.4f}")
    print_table(f"{method}: deep grey nuclei", region_rows, REGION_COLUMNS)
    tell(f"largest change {worst.change_percent:+.1f} % ({worst.region}, {worst.condition})")
