"""A limit allows what lies on its good side, and never what is not a number."""

import math

import pytest

from recon.quality.limits import LIMITS, Limit

ABOVE = Limit(figure="residual", degraded=2.0, failed=5.0, sentence="It is {value:.0f}.")
BELOW = Limit(figure="likeness", degraded=0.5, failed=-0.2, sentence="It is {value:.0f}.")


@pytest.mark.parametrize(
    ("limit", "value", "degraded", "failed"),
    [
        (ABOVE, 1.0, True, True),
        (ABOVE, 2.0, True, True),
        (ABOVE, 3.0, False, True),
        (ABOVE, 6.0, False, False),
        (BELOW, 0.9, True, True),
        (BELOW, 0.5, True, True),
        (BELOW, 0.1, False, True),
        (BELOW, -0.3, False, False),
        (ABOVE, math.nan, False, False),
        (BELOW, math.nan, False, False),
        (ABOVE, math.inf, False, False),
        (BELOW, -math.inf, False, False),
    ],
)
def test_a_limit_has_a_good_side(limit, value, degraded, failed):
    assert limit.allows(value, limit.degraded) == degraded
    assert limit.allows(value, limit.failed) == failed


def test_each_figure_is_judged_once_and_said_in_a_sentence():
    assert len({limit.figure for limit in LIMITS}) == len(LIMITS)
    for limit in LIMITS:
        said = limit.sentence.format(value=1234.5678)
        assert said.endswith(".")
        assert "1234.5678" not in said
