"""What each effect of the hard simulator costs, alone: in the field, and in the network's map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from recon.errors import InvalidInputError
from recon.field.total import total_field
from recon.inversion.methods import find_method
from recon.lab.evaluation.field import left_out_percent, scan_errors_ppm
from recon.lab.evaluation.field_errors import FieldErrors, field_errors
from recon.lab.evaluation.score import score
from recon.lab.simulation.draw.cases import CASES, draw_case, subject_number, with_effects
from recon.lab.simulation.draw.effect_plans import NO_EFFECTS
from recon.lab.simulation.draw.effects import ALL_EFFECTS, only
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.scan import SimulatedScan, simulate_scan
from recon.types import TotalField

NONE = "none"
_METHOD = "network"


@dataclass(frozen=True, kw_only=True)
class EffectRow(FieldErrors):
    """One effect alone on one case: the errors of our field, and the NRMSE of the network's map.

    Parameters
    ----------
    case, effect
        Names; the effect ``"none"`` is the case as it is.
    left_out_percent
        Share of the true brain that is left out of our field, in which its errors are not counted.
    true_nrmse_percent, phase_nrmse_percent
        NRMSE of the map from the true field and from wrapped phase, over the true brain.
    cost_points
        The second less the first.
    """

    case: str
    effect: str
    left_out_percent: float
    true_nrmse_percent: float
    phase_nrmse_percent: float
    cost_points: float


def evaluate_effects(
    cases: Iterable[str],
    *,
    seed: int = 0,
    voxel_size_mm: float | None = None,
    engine: str = "auto",
    progress: Callable[[str], None] = lambda step: None,
) -> Iterator[EffectRow]:
    """Measure the same scan without effects and with each one alone, of typical strength.

    Parameters
    ----------
    cases
        Keys of :data:`recon.lab.simulation.draw.cases.CASES`; those of other names have effects of their own.
    seed, voxel_size_mm, progress
        As for :func:`recon.lab.evaluation.field.evaluate_field`.
    engine
        Engine of the network.

    Raises
    ------
    InvalidInputError
        If a case is not one of them.
    """
    for case in cases:
        if case not in CASES:
            raise InvalidInputError(f"no case {case!r} without effects: expected one of {', '.join(CASES)}")
        rng = generator(Purpose.EVALUATION, subject_number(case, seed))
        subject = draw_case(case, rng, voxel_size_mm=voxel_size_mm)
        for effect in (NONE, *ALL_EFFECTS):
            progress(f"{case}: {effect}")
            effects = NO_EFFECTS if effect == NONE else only(effect)
            scan = simulate_scan(replace(subject, scan=with_effects(subject.scan, effects)))
            yield _effect_row(scan, case, effect, engine)


def _effect_row(scan: SimulatedScan, case: str, effect: str, engine: str) -> EffectRow:
    measured = total_field(scan.echoes, mask=scan.brain)
    isolated = replace(measured, field_ppm=np.where(measured.mask, scan.field_ppm, np.float32(0)))
    from_truth, from_phase = (_nrmse_percent(scan, total, engine) for total in (isolated, measured))
    judged = scan.brain & measured.mask
    return EffectRow(
        case=case,
        effect=effect,
        **asdict(field_errors(*scan_errors_ppm(scan, judged, measured.field_ppm))),
        left_out_percent=left_out_percent(judged, scan.brain),
        true_nrmse_percent=from_truth,
        phase_nrmse_percent=from_phase,
        cost_points=from_phase - from_truth,
    )


def _nrmse_percent(scan: SimulatedScan, total: TotalField, engine: str) -> float:
    inverted = find_method(_METHOD)(total, engine)
    chi = np.where(total.mask, inverted.chi_ppm, np.float32(0))
    return score(chi, scan.chi_ppm, scan.brain, scan.label).nrmse
