"""The verdict studied: whether it calls the spoiled maps spoiled, and leaves the good ones alone.

Every scan is reconstructed as it is and with faults; a fault is ruinous where it makes the error one and a half times
that of the unspoiled scan, or more. Rows are kept per head, so that a study that was interrupted is resumed and several
processes can share one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from recon.engines import deepbet
from recon.errors import InvalidInputError, MapError
from recon.lab.evaluation.fingerprint import WITHOUT, code_fingerprint
from recon.lab.evaluation.judge import judge
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.draw.study_scans import FIRST_SEED, draw_study_head
from recon.lab.simulation.faults.table import DrawnFault, draw_fault, spoiled
from recon.lab.simulation.field import head_field
from recon.lab.simulation.scan import SimulatedScan, scan_of
from recon.lab.simulation.template import load_template
from recon.masking.brain import Segmenter, Stage
from recon.network.weights import load_weights
from recon.options import Options
from recon.pipeline import reconstruct
from recon.quality.figures import judge_quality
from recon.types import GradientEcho, Level

_FAULT_STREAM = 1
_NETWORK = "network"
_JUDGES = ("quality/limits.py", "quality/expected_error.py")
"""What judges the kept figures when they are read, so that rows need not be made again when it changes."""
RUINOUS = 1.5
"""Error over that of the unspoiled scan from which on a fault is ruinous."""
REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class VerdictRow:
    """One scan as it is, or with a fault.

    Parameters
    ----------
    head, scan
        Number of the head, and of the scan among the head's.
    kind, severity
        The fault; empty and 0 for the scan as it is.
    refused
        Why the scan was refused; empty if it was not.
    nrmse_percent, rms_ppb
        Error over the true brain, voxels without a value counted as zero; None without a map.
    nuclei_ppb
        Error of the mean of each deep grey nucleus.
    figures
        What the reconstruction says of itself.
    """

    head: int
    scan: int
    kind: str = ""
    severity: float = 0.0
    refused: str = ""
    nrmse_percent: float | None = None
    rms_ppb: float | None = None
    nuclei_ppb: dict[str, float]
    figures: dict[str, float]

    @property
    def level(self) -> Level | str:
        """What the present limits say of the figures, or ``"refused"``."""
        return REFUSED if self.refused else judge_quality(self.figures).level


@dataclass(frozen=True, kw_only=True)
class VerdictStudy:
    """Where a study is kept, on which heads, and how many faults each scan is given."""

    folder: Path
    purpose: Purpose = Purpose.EVALUATION
    faults: int = 1
    engine: str = "auto"

    @property
    def made_by(self) -> str:
        """What rows must have been made by to be kept."""
        code, weights = code_fingerprint(without=(*WITHOUT, *_JUDGES)), load_weights().sha256
        return f"{self.purpose.name.lower()} heads, {self.faults} faults, code {code}, weights {weights}"

    def path(self, head: int) -> Path:
        """Return the file of a head's rows."""
        return self.folder / "heads" / f"{head:03d}.json"


def run_study(heads: Iterable[int], study: VerdictStudy, say: Callable[[str], None]) -> Iterator[VerdictRow]:
    """Yield the rows of heads; those that this code and these weights made before are kept.

    Parameters
    ----------
    heads
        Their numbers.
    study
        Where rows are kept, and how they are made.
    say
        Told what is being done.
    """
    study.path(0).parent.mkdir(parents=True, exist_ok=True)
    for head in heads:
        rows = kept_rows(head, study)
        if not rows:
            rows = list(_judged_head(head, study, say))
            unfinished = study.path(head).with_suffix(".part")
            unfinished.write_text(json.dumps({"made_by": study.made_by, "rows": [asdict(row) for row in rows]}))
            unfinished.replace(study.path(head))
        yield from rows


def kept_rows(head: int, study: VerdictStudy) -> list[VerdictRow]:
    """Return the kept rows of a head, none if other code or other weights made them."""
    path = study.path(head)
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return [VerdictRow(**row) for row in kept["rows"]] if kept.get("made_by") == study.made_by else []


def _judged_head(head: int, study: VerdictStudy, say: Callable[[str], None]) -> Iterator[VerdictRow]:
    """Simulate a head and judge the maps of its scans, as they are and spoiled."""
    say(f"head {head}: simulating")
    plan = draw_study_head(head, study.purpose)
    made = head_field(plan.head, plan.scans[0], load_template())
    rng = generator(study.purpose, FIRST_SEED + head).spawn(1 + _FAULT_STREAM)[_FAULT_STREAM]
    for number, scan_plan in enumerate(plan.scans):
        say(f"head {head}, scan {number}")
        scan = scan_of(made, scan_plan)
        judged = partial(judged_map, scan, head=head, number=number, engine=study.engine, segment=RememberedSegmenter())
        yield judged(scan.echoes)
        for _ in range(study.faults):
            fault = draw_fault(rng, echoes=len(scan_plan.echo_times_s))
            say(f"head {head}, scan {number}: {fault.kind} {fault.severity:.2g}")
            yield judged(spoiled(scan.echoes, fault), fault=fault)


@dataclass(kw_only=True)
class RememberedSegmenter:
    """Networks that find the brain, which are not asked twice about the same magnitude: most faults leave it alone."""

    answers: dict[tuple[Stage, bytes], torch.Tensor] = field(default_factory=dict)

    def __call__(self, stage: Stage, volume: torch.Tensor) -> torch.Tensor:
        """Return what the networks say of a volume."""
        key = (stage, hashlib.sha256(volume.numpy().tobytes()).digest())
        if key not in self.answers:
            self.answers[key] = deepbet.segment(stage, volume)
        return self.answers[key]


def judged_map(
    scan: SimulatedScan,
    echoes: GradientEcho,
    *,
    head: int,
    number: int,
    engine: str = "auto",
    segment: Segmenter = deepbet.segment,
    fault: DrawnFault | None = None,
) -> VerdictRow:
    """Reconstruct echoes of a scan and compare the map with the scan's truth; a refusal is a row, too."""
    kind, severity = (fault.kind, fault.severity) if fault else ("", 0.0)
    try:
        result = reconstruct(echoes, options=Options(method=_NETWORK, engine=engine, fallback=""), segment=segment)
    except (InvalidInputError, MapError) as error:
        return VerdictRow(
            head=head, scan=number, kind=kind, severity=severity, refused=str(error), nuclei_ppb={}, figures={}
        )
    chi, brain = result.susceptibility.chi_ppm, scan.brain
    found = judge(chi, scan.chi_ppm, brain, scan.label)
    return VerdictRow(
        head=head,
        scan=number,
        kind=kind,
        severity=severity,
        nrmse_percent=found.nrmse_percent,
        rms_ppb=10 * found.nrmse_percent * float(scan.chi_ppm[brain].std(dtype="float64")),
        nuclei_ppb={name: mine - true for name, (mine, true) in found.nuclei_ppb.items()},
        figures=dict(result.figures),
    )
