"""Whether two revisions make the same objects and figures: run both on the same images, and compare.

``make same BEFORE=REVISION`` checks the working tree against a revision. Both sides reconstruct a simulated head
(Enhanced MR, every product) and, where ``../shared/realdata`` is, a real Philips brain; both run rows of ``evaluate``,
and the demonstration with ``--demo``. UIDs, pixels, arrays and figures must be equal to the last bit. Texts and times
may differ, and are counted; so may pages in words, whose UIDs follow from what they show.

The taking in of bleeds at the brain's surface is off on both sides, and the regional report is left out: both changed
on purpose.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
from pydicom.dataset import Dataset

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "realdata" / "philips_brain_classic"
PRODUCTS = (
    "qsm-enhanced,swi,true-swi,min-ip,r2star,total-field,local-field,chi-uncertainty,parametric-map,"
    "brain-mask,phase-quality,quality-page"
)
PAGES_IN_WORDS = ("quality-page",)
TEXTS = frozenset({"AS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UT"})
# The first statement is for revisions in which taking bleeds in cannot be switched off.
COMMAND = """
import sys
try:
    import recon.phase.total as total
    total._with_surface_bleeds = lambda brain, *_: brain
except ModuleNotFoundError:
    pass
from plugin.cli import main
sys.argv = ["qsm-plugin", *sys.argv[1:]]
main()
"""


@dataclass
class Difference:
    """What differs between two sides: faults, and how many texts."""

    faults: list[str] = field(default_factory=list)
    texts: Counter[str] = field(default_factory=Counter)
    compared: Counter[str] = field(default_factory=Counter)


def run(source: Path, *arguments: str) -> dict[str, Any]:
    """Run a command of a revision and return what it prints as JSON."""
    environment = os.environ | {"PYTHONPATH": str(source), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-c", COMMAND, *arguments, "--json"]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{source}: {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


def compare_folders(before: Path, after: Path, found: Difference) -> None:
    """Compare everything that two reconstructions wrote."""
    names = [sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()) for top in (before, after)]
    found.faults += [f"only on one side: {name}" for name in sorted(set(names[0]) ^ set(names[1]))]
    for name in sorted(set(names[0]) & set(names[1])):
        found.compared[Path(name).suffix] += 1
        if name.endswith(".dcm"):
            in_pictures = not name.startswith(PAGES_IN_WORDS)
            for fault in compare_objects(pydicom.dcmread(before / name), pydicom.dcmread(after / name), found.texts):
                if in_pictures or fault not in ("PixelData", "SOPInstanceUID", "SeriesInstanceUID"):
                    found.faults.append(f"{name}: {fault}")
        elif name.endswith(".nii.gz"):
            volumes = [np.asanyarray(nibabel.load(top / name).dataobj) for top in (before, after)]
            if not np.array_equal(*volumes):
                found.faults.append(f"{name}: {np.count_nonzero(volumes[0] != volumes[1])} voxels")
        elif name == "report.json":
            figures = [json.loads((top / name).read_text())["figures"] for top in (before, after)]
            found.faults += [f"{name}: {key}" for key in figures[0] if figures[0][key] != figures[1].get(key)]


def compare_objects(before: Dataset, after: Dataset, texts: Counter[str]) -> Iterator[str]:
    """Yield the keywords of elements that differ and are no text; count those that are."""
    for tag in sorted({*before.keys(), *after.keys()}):
        one, other = before.get(tag), after.get(tag)
        keyword = pydicom.datadict.keyword_for_tag(tag) or str(tag)
        if one is None or other is None:
            yield f"{keyword} on one side only"
        elif one.VR == "SQ":
            if len(one.value) != len(other.value):
                yield f"{keyword}: number of items"
            for item, its_other in zip(one.value, other.value, strict=False):
                yield from (f"{keyword}.{inner}" for inner in compare_objects(item, its_other, texts))
        elif one.value != other.value:
            if one.VR in TEXTS:
                texts[keyword] += 1
            else:
                yield keyword


def compare_rows(before: list[dict[str, Any]], after: list[dict[str, Any]], found: Difference) -> None:
    """Compare rows of an evaluation, but for the time they took."""
    for one, other in zip(before, after, strict=True):
        found.compared["row of evaluate"] += 1
        found.faults += [
            f"evaluate {one['method']} {one['case']} {one['source']}: {key} {one[key]} and {other.get(key)}"
            for key in one
            if "seconds" not in key and one[key] != other.get(key)
        ]


def compare_sides(before: Path, after: Path, work: Path, *, quick: bool, demo: bool) -> Difference:
    """Run everything on both sides."""
    found = Difference()
    head = work / "head"
    size = "2.5" if quick else "1.6"
    simulated = ("--case", "lesion", "--voxel-size-mm", size, "--vendor", "siemens", "--object", "enhanced")
    run(after, "simulate", str(head), *simulated)
    for name, images in (("simulated", head / "dicom"), ("philips", REAL)):
        if not images.exists():
            print(f"{name}: left out, as {images.name} is not there")
            continue
        for side, source in (("before", before), ("after", after)):
            print(f"{name}: reconstruct {side}", flush=True)
            options = ("--output", str(work / side / name), "--objects", PRODUCTS, "--nifti")
            run(source, "reconstruct", str(images), *options)
        compare_folders(work / "before" / name, work / "after" / name, found)
    if quick:
        return found
    sides = []
    for source in (before, after):
        print("two rows of evaluate", flush=True)
        question = ("--methods", "network", "--cases", "healthy", "--voxel-size-mm", "2")
        sides.append(run(source, "evaluate", "inversion", *question)["rows"])
    compare_rows(sides[0], sides[1], found)
    if demo:
        judged = []
        for side, source in (("before", before), ("after", after)):
            print(f"demonstration {side}", flush=True)
            judged.append(run(source, "demo", "--output", str(work / side / "demo")))
        found.compared["demonstration"] += 1
        figures = ("qsm_images", "nrmse_percent", "correlation", "coverage_percent", "nuclei_ppb")
        found.faults += [f"demo: {key}" for key in figures if judged[0][key] != judged[1][key]]
    return found


def main() -> None:
    """Compare the working tree with a revision; exit status 1 where anything but a text differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", help="revision to compare with")
    parser.add_argument("--quick", action="store_true", help="a coarse head, and no rows of evaluate")
    parser.add_argument("--demo", action="store_true", help="compare the demonstration's figures, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work, before = Path(folder), Path(folder) / "revision"
        subprocess.run(
            ["git", "worktree", "add", "--detach", "--quiet", before, arguments.before], cwd=ROOT, check=True
        )
        try:
            found = compare_sides(before, ROOT, work, quick=arguments.quick, demo=arguments.demo)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", before], cwd=ROOT, check=True)
    print("compared:", ", ".join(f"{count} {what}" for what, count in found.compared.items()))
    print("texts that differ:", ", ".join(f"{word} {count}" for word, count in found.texts.most_common()) or "none")
    for fault in found.faults[:50]:
        print("DIFFERS", fault)
    print("same" if not found.faults else f"{len(found.faults)} differences")
    raise SystemExit(bool(found.faults))


if __name__ == "__main__":
    main()
