"""``qsm-plugin simulate``: a digital head as a vendor's scanner would send it, with the ground truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin.cli.console import JsonOption, SeedOption, VoxelSizeOption, note, progress_shown, show, tell
from plugin.errors import ConfigurationError

EXAMPLES = (
    "qsm-plugin simulate OUT --vendor ge --case lesion",
    "qsm-plugin simulate OUT --vendor philips --object enhanced --voxel-size-mm 2",
)


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
    case: Annotated[
        str,
        typer.Option(help="healthy, lesion, oblique, steep, swi, 7t, bipolar or a variant; an unknown name lists all."),
    ] = "healthy",
    seed: SeedOption = 0,
    voxel_size_mm: VoxelSizeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the multi-echo GRE of a digital head to OUT/dicom, and its truth, as arrays (x, y, z), to OUT/truth.npz."""
    import numpy as np

    from dicom_io.synthetic import write_scan
    from recon.lab.simulation.scan import simulate_case

    scanner = _known_scanner(vendor, kind, case)
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(f"{folder} is not empty; name a new folder")
    images, truth = folder / "dicom", folder / "truth.npz"
    with progress_shown("simulate", (("head", 5.0), ("writing", 3.0)), as_json=as_json) as say:
        say(f"head {seed}, case {case}")
        scan = simulate_case(case, seed, voxel_size_mm=voxel_size_mm)
        say(f"writing images as {scanner}")
        files = write_scan(scan.echoes, images, vendor=scanner, study_seed=seed)
        np.savez_compressed(truth, chi_ppm=scan.chi_ppm, field_ppm=scan.field_ppm, brain=scan.brain, label=scan.label)
    shape = " x ".join(map(str, scan.echoes.grid.shape))
    if not as_json:
        note(f"{len(scan.echoes.echo_times_s)} echoes of {shape} voxels at {scan.echoes.b0_tesla:g} T")
    found = {"images": len(files), "dicom": str(images), "truth": str(truth)}
    show(found, as_json, lambda _found: tell(f"{len(files)} images in {images}"))


def _known_scanner(vendor: str, kind: str, case: str) -> str:
    """Return the scanner's name; refuse an unknown name, and list the known ones."""
    from dicom_io.synthetic import CLASSIC, OBJECTS, SCANNERS
    from recon.lab.simulation.draw.cases import ALL_CASES

    scanner = vendor if kind == "classic" else f"{vendor}-{kind}"
    for what, name, fits, known in (
        ("object", kind, kind in OBJECTS, OBJECTS),
        ("vendor", vendor, scanner in SCANNERS, CLASSIC),
        ("case", case, case in ALL_CASES, ALL_CASES),
    ):
        if not fits:
            raise ConfigurationError(f"no {what} {name!r}; there are: {', '.join(known)}")
    return scanner
