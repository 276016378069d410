"""``qsm-plugin evaluate cohort``, ``verdict``, ``uncertainty`` and ``in-vivo``: many scans, and a real one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugin.cli.bar import evenly
from plugin.cli.console import (
    EngineOption,
    JsonOption,
    names_of,
    note,
    print_json,
    print_table,
    progress_shown,
    require_folder,
    tell,
)
from recon.errors import InvalidInputError

if TYPE_CHECKING:
    from recon.lab.evaluation.cohort import CohortRow

COHORT_COLUMNS = {
    "method": "{method!s}", "patients": "{patients:d}", "failed": "{failures:d}",
    "NRMSE %\nmedian": "{nrmse_median:.1f}", "worst": "{nrmse_worst:.1f}", "XSIM": "{xsim_median:.3f}",
    "bleeds'\nslope": "{bleed_slope_median:.2f}", "network\nbetter": "{better:d}",
}  # fmt: skip
IN_VIVO_COLUMNS = {
    "method": "{method!s}", "NRMSE %": "{nrmse_percent:.1f}", "detr. %": "{nrmse_detrend_percent:.1f}",
    "XSIM": "{xsim:.3f}", "HFEN %": "{hfen_percent:.1f}", "corr.": "{correlation:.3f}",
}  # fmt: skip
BAND_COLUMNS = {"wavelength": "{name}", "signal %": "{signal_percent:.1f}", "error %": "{error_percent:.1f}"}
KIND_COLUMNS = {
    "fault": "{kind}", "scans": "{scans}", "ruined": "{ruinous}", "of these ok": "{missed}", "refused": "{refused}",
    "failed": "{failed}", "degraded": "{degraded}",
}  # fmt: skip
COVERAGE_COLUMNS = {
    "voxels in": "{region}", "maps": "{maps:d}", "within\n1 SD %": "{within_one_percent:.1f}",
    "within\n2 SD %": "{within_two_percent:.1f}", "worst map\n2 SD %": "{worst_two_percent:.1f}",
    "stated\nppb": "{uncertainty_ppb:.1f}", "true\nppb": "{error_ppb:.1f}",
}  # fmt: skip


def cohort(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for rows, table and figure; a study there is resumed.")
    ] = Path("out/cohort"),
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")] = 100,
    first: Annotated[int, typer.Option(min=0, help="Number of the first one, to share a study among processes.")] = 0,
    methods: Annotated[str, typer.Option(metavar="A,B,…", help="Methods.")] = "network,tfi,tgv",
    engine: EngineOption = "auto",
    tuning: Annotated[
        bool, typer.Option("--tuning", help="Other patients: those that constants are tuned on.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Study simulated patients with bleeds, from DICOM to DICOM: count failures, compare with iterative inversion."""
    from plugin.lab.cohort import Study, present_rows, run_cohort
    from recon.inversion.methods import find_method
    from recon.lab.evaluation.cohort_report import write_cohort
    from recon.lab.simulation.draw.seeds import Purpose
    from recon.options import METHODS

    wanted = names_of(methods) or list(METHODS)
    for method in wanted:
        find_method(method)
    study = Study(folder=output, engine=engine, purpose=Purpose.TUNING if tuning else Purpose.EVALUATION)
    count = patients * len(wanted)
    with progress_shown("evaluate cohort", evenly(count, "maps judged"), as_json=as_json) as say:
        for number, _ in enumerate(run_cohort(range(first, first + patients), wanted, study, say)):
            say(f"{number + 1} of {count} maps judged")
    rows, others = present_rows(study)
    write_cohort(rows, output)
    if others and not as_json:
        note(f"{others} rows made by other code, with other weights or for other patients are left out.")
    _tell_cohort(rows, as_json=as_json)
    if not as_json:
        note(f"written: {output / 'cohort.md'}, cohort.json, cohort.png")


def _tell_cohort(rows: list[CohortRow], *, as_json: bool) -> None:
    from recon.lab.evaluation.cohort import better_than_all, summarise

    summaries, (won, judged) = [asdict(one) for one in summarise(rows)], better_than_all(rows)
    if as_json:
        print_json({"summary": summaries, "better_than_all": won, "judged_by_all": judged})
        return
    counted = [{**one, "failures": len(one["failed"])} for one in summaries]
    print_table("Patients with bleeds, from DICOM to DICOM", counted, COHORT_COLUMNS)
    if judged:  # none, where only one method was asked for
        tell(f"The network is better than every peer on {won} of {judged} patients.")


def verdict(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for rows and picture; a study there is resumed.")
    ] = Path("out/verdict"),
    heads: Annotated[int, typer.Option(min=1, help="How many heads, of four scans each.")] = 75,
    first: Annotated[int, typer.Option(min=0, help="Number of the first one, to share a study among processes.")] = 0,
    faults: Annotated[int, typer.Option(min=1, help="Faults that each scan is spoiled with, one at a time.")] = 1,
    engine: EngineOption = "auto",
    tuning: Annotated[bool, typer.Option("--tuning", help="Other heads: those that limits are tuned on.")] = False,
    fit: Annotated[
        Path | None, typer.Option(help="Fit the expected error on these scans, and write it to this file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Study the verdict on good and spoiled scans: how many ruined maps are called ok, how many good ones are not."""
    from recon.lab.evaluation.verdict.fit import fit_expected_error, write_model
    from recon.lab.evaluation.verdict.report import write_study
    from recon.lab.evaluation.verdict.study import VerdictStudy, run_study
    from recon.lab.simulation.draw.seeds import Purpose
    from recon.network.weights import load_weights
    from recon.quality.expected_error import load_model

    study = VerdictStudy(
        folder=output, purpose=Purpose.TUNING if tuning else Purpose.EVALUATION, faults=faults, engine=engine
    )
    with progress_shown("evaluate verdict", evenly(heads, "simulating"), as_json=as_json) as say:
        rows = list(run_study(range(first, first + heads), study, say))
    if fit:
        write_model(fit_expected_error(rows, load_weights().sha256), fit)
    found = asdict(write_study(rows, load_model(fit), output))
    if as_json:
        print_json(found)
        return
    print_table("Spoiled scans, each by one fault", found["kinds"], KIND_COLUMNS)
    tell(
        f"Of {found['good']} good scans {found['good_refused']} were refused, {found['good_failed']} called failed, "
        f"{found['good_degraded']} degraded."
    )
    if found["spearman"] is not None:
        tell(f"Expected error: rank correlation {found['spearman']:.2f}, {found['covered_percent']:.0f} % below bound.")
    note(f"written: {output / 'verdict.json'}, verdict.png")


def uncertainty(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for sampled voxels; a study there is resumed.")
    ] = Path("out/uncertainty"),
    heads: Annotated[int, typer.Option(min=1, help="How many heads, of four scans each.")] = 12,
    first: Annotated[int, typer.Option(min=0, help="Number of the first one, to share a study among processes.")] = 0,
    engine: EngineOption = "auto",
    tuning: Annotated[bool, typer.Option("--tuning", help="Other heads: those that constants are tuned on.")] = False,
    fit: Annotated[
        Path | None, typer.Option(help="Fit the uncertainty of voxels on these scans, and write it to this file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Count how many errors lie within the stated uncertainty: in the brain, in nuclei, veins and lesions."""
    from recon.lab.evaluation.verdict.fit import write_model
    from recon.lab.evaluation.verdict.uncertainty import (
        AS_IT_IS,
        coverage,
        expected_error_sha256,
        fit_pattern,
        sampled_voxels,
    )
    from recon.lab.simulation.draw.seeds import Purpose
    from recon.network.error_pattern import load_pattern
    from recon.network.weights import load_weights

    if fit and not tuning:
        raise InvalidInputError("--fit would tune on the heads that are held out; add --tuning")
    purpose = Purpose.TUNING if tuning else Purpose.EVALUATION
    with progress_shown("evaluate uncertainty", evenly(heads, "simulating"), as_json=as_json) as say:
        samples = list(sampled_voxels(range(first, first + heads), output, purpose, engine, say))
    if fit:
        write_model(fit_pattern(samples, load_weights().sha256), fit)
    pattern = load_pattern(fit)
    fitted_for = pattern and (pattern.weights_sha256, pattern.expected_error_sha256)
    if pattern is None or fitted_for != (load_weights().sha256, expected_error_sha256()):
        raise InvalidInputError(
            "no uncertainty was fitted for these weights and this expected_error.json: --tuning --fit does so"
        )
    ordinary = [one for one in samples if one.fault == AS_IT_IS]
    every, good = ([asdict(row) for row in coverage(maps, pattern)] for maps in (samples, ordinary))
    if as_json:
        print_json({"rows": every, "ordinary": good})
        return
    which = ", on the scans of the fit" if fit else ""
    print_table(f"Errors within the stated uncertainty, ordinary and spoiled scans{which}", every, COVERAGE_COLUMNS)
    print_table(f"The same, ordinary scans alone{which}", good, COVERAGE_COLUMNS)


def in_vivo(
    folder: Annotated[Path, typer.Argument(help="Folder with the challenge's local field, COSMOS map and mask.")],
    methods: Annotated[str, typer.Option(metavar="A,B,…", help="Methods.")] = "network",
    engine: EngineOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Judge methods by the head of the 2016 QSM challenge; for judging only, nothing is tuned on it."""
    from plugin.lab.in_vivo import judge_in_vivo

    require_folder(folder)
    wanted = names_of(methods)
    with progress_shown("evaluate in-vivo", evenly(len(wanted)), as_json=as_json) as say:
        rows = []
        for method in wanted:
            say(method)
            rows.append(asdict(judge_in_vivo(folder, method, engine)))
    if as_json:
        print_json({"rows": rows})
        return
    print_table("2016 challenge: maps of the local field against COSMOS", rows, IN_VIVO_COLUMNS)
    for row in rows:
        print_table(f"{row['method']}: error by wavelength, in % of the whole signal", row["bands"], BAND_COLUMNS)
