"""``qsm-plugin simulate``: a digital head as a vendor's scanner would send it, with the truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plugin.cli.console import JsonOption, people, print_json, progress_shown, results

if TYPE_CHECKING:
    from recon.lab.simulation.scan import SimulatedScan

DICOM_FOLDER = "dicom"
TRUTH_FILE = "truth.npz"


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="New or empty folder.")],
    vendor: Annotated[
        str,
        typer.Option(
            help="siemens, ge, philips, canon, united-imaging, hitachi, bruker, other, or a variant such as siemens-xa,"
            " ge-polar, philips-mapping; an unknown name lists all."
        ),
    ] = "siemens",
    kind: Annotated[
        str, typer.Option("--object", help="classic, enhanced or legacy (converted) MR objects.")
    ] = "classic",
    case: Annotated[str, typer.Option(help="healthy, lesion, oblique, steep, swi, 7t or bipolar.")] = "healthy",
    seed: Annotated[int, typer.Option(min=0, help="Number of the simulated subject.")] = 0,
    voxel_size_mm: Annotated[
        float | None, typer.Option(min=0.5, max=8.0, help="Smallest voxel edge; the case's own if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the multi-echo GRE of a digital head to OUT/dicom and what it was made of to OUT/truth.npz."""
    from dicom_io.synthetic import write_scan
    from plugin.errors import ConfigurationError
    from recon.lab.simulation.scan import simulate_case

    scanner = _known_scanner(vendor, kind, case)
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty; name a new folder")
    with progress_shown("simulate") as progress:
        progress(f"head {seed}, case {case}")
        scan = simulate_case(case, seed, voxel_size_mm=voxel_size_mm)
        progress(f"writing images as {scanner}")
        files = write_scan(scan.echoes, folder / DICOM_FOLDER, vendor=scanner, study_seed=seed)
        save_truth(scan, folder / TRUTH_FILE)
    if as_json:
        print_json({"images": len(files), "dicom": str(folder / DICOM_FOLDER), "truth": str(folder / TRUTH_FILE)})
        return
    shape = " x ".join(map(str, scan.echoes.grid.shape))
    people.print(f"{len(scan.echoes.echo_times_s)} echoes of {shape} voxels at {scan.echoes.b0_tesla:g} T")
    results.print(f"{len(files)} images in {folder / DICOM_FOLDER}", soft_wrap=True)


def _known_scanner(vendor: str, kind: str, case: str) -> str:
    """Return the scanner's name; refuse what there is not, and say what there is."""
    from dicom_io.synthetic import CLASSIC, OBJECTS, SCANNERS
    from plugin.errors import ConfigurationError
    from recon.lab.simulation.draw.cases import CASES, HARD_CASES

    scanner = vendor if kind == "classic" else f"{vendor}-{kind}"
    for what, name, fits, known in (
        ("object", kind, kind in OBJECTS, OBJECTS),
        ("vendor", vendor, scanner in SCANNERS, CLASSIC),
        ("case", case, case in (*CASES, *HARD_CASES), (*CASES, *HARD_CASES)),
    ):
        if not fits:
            raise ConfigurationError(f"no {what} {name!r}; there are: {', '.join(known)}")
    return scanner


def save_truth(scan: SimulatedScan, path: Path) -> None:
    """Write the truth as arrays in image axes ``(x, y, z)``: ppm, and labels as in ``recon.lab.simulation.head``."""
    import numpy as np

    np.savez_compressed(path, chi_ppm=scan.chi_ppm, field_ppm=scan.field_ppm, brain=scan.brain, label=scan.label)
