"""A score of scans spoiled on purpose: each is refused, or its map is not called good."""

from functools import cache

import pytest

from recon.errors import InvalidInputError, MapError
from recon.lab.evaluation.verdict.study import RememberedSegmenter
from recon.lab.simulation.draw.cases import draw_case
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.faults.table import DrawnFault, spoiled
from recon.lab.simulation.scan import simulate_scan
from recon.options import Options
from recon.pipeline import reconstruct

SEED = 60_000
SEVERAL, ONE = "healthy", "swi"
SPOILED = [
    (SEVERAL, "inverted", 1.0),
    (SEVERAL, "phase range", 0.4),
    (SEVERAL, "coarse phase", 0.6),
    (SEVERAL, "repeated echo", 1.0),
    (SEVERAL, "homodyne", 0.2),
    (SEVERAL, "inverted slab", 0.4),
    (SEVERAL, "lost phase", 0.2),
    (SEVERAL, "noise", 0.8),
    (SEVERAL, "motion between echoes", 2.0),
    (SEVERAL, "ghost", 0.35),
    (SEVERAL, "spike", 2.0),
    (SEVERAL, "swapped echoes", 1.0),
    (SEVERAL, "times of the echo before", 1.0),
    (SEVERAL, "echo times", 2.0),
    (SEVERAL, "slab fields", 10.0),
    (SEVERAL, "other run's magnitude", 12.0),
    (SEVERAL, "direction of B0", 14.0),
    (ONE, "mirrored phase", 1.0),
    (ONE, "inverted", 1.0),
    (ONE, "homodyne", 0.2),
    (ONE, "slice offsets", 0.8),
    (ONE, "inverted slab", 0.4),
    (ONE, "lost phase", 0.2),
]


@cache
def scan(case):
    return simulate_scan(draw_case(case, generator(Purpose.TUNING, SEED), voxel_size_mm=3.0))


SEGMENT = RememberedSegmenter()


@pytest.mark.parametrize("case", [SEVERAL, ONE])
def test_a_scan_that_nothing_is_wrong_with_is_called_good(case):
    result = reconstruct(scan(case).echoes, segment=SEGMENT)
    assert result.verdict.level == "ok", result.verdict.reasons
    assert result.expected_error is not None


def test_open_ended_fringe_lines_do_not_spoil_the_map_of_several_echoes():
    lines = spoiled(scan(SEVERAL).echoes, DrawnFault(kind="open fringe lines", severity=3.0, seed=1))
    result = reconstruct(lines, segment=SEGMENT)
    assert result.verdict.level == "ok", result.verdict.reasons
    assert result.figures["open_fringe_lines_mm"] > 100
    plain = reconstruct(scan(SEVERAL).echoes, segment=SEGMENT)
    assert error_ppb(result) < 1.2 * error_ppb(plain)


def error_ppb(result):
    brain = scan(SEVERAL).brain
    error = (result.susceptibility.chi_ppm - scan(SEVERAL).chi_ppm)[brain]
    return 1e3 * float(error.std())


@pytest.mark.parametrize(("case", "kind", "severity"), SPOILED)
def test_a_spoiled_scan_is_not_called_good(case, kind, severity):
    bad = spoiled(scan(case).echoes, DrawnFault(kind=kind, severity=severity, seed=1))
    try:
        result = reconstruct(bad, segment=SEGMENT, options=Options(fallback=""))
    except (InvalidInputError, MapError):
        return
    assert result.verdict.level != "ok", {k: round(v, 3) for k, v in result.figures.items()}
    assert (result.expected_error is None) == (result.verdict.level == "failed")
