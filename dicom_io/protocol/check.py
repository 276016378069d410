"""Compare an acquisition with the recommendations."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dicom_io.protocol.facts import facts_of
from dicom_io.protocol.judgements import Judgement, Level
from dicom_io.protocol.recommendations import RECOMMENDATIONS, Recommendation
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.kinds import SEQUENCE_KINDS

_IMPORTANCE: Final = (Level.CHANGE, Level.COSTS, Level.UNSTATED, Level.FINE)
_BY_NAME: Final = {row.name: row for row in RECOMMENDATIONS}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the images say of one recommendation.

    Parameters
    ----------
    name, why, source
        As in ``Recommendation``.
    found
        What the images state, in words.
    level
        How good that is.
    change
        What to change at this vendor's scanner; empty where it is fine.
    vendor_words
        The same in the vendor's own words, from documentation only; empty where none are known.
    """

    name: str
    found: str
    level: Level
    why: str
    source: str
    change: str
    vendor_words: str


def check_protocol(acquisition: Acquisition, *, root: Path = Path()) -> tuple[Finding, ...]:
    """Judge each recommendation that applies, the most important first; empty for images that are not a gradient echo.

    One image is read again, its path relative to ``root``.

    Raises
    ------
    Refusal
        That image cannot be read any more.
    """
    images, reason = acquisition.headers, acquisition.completeness.reason
    kinds = {header.other_kind for header in images}
    is_other = not SEQUENCE_KINDS.isdisjoint(kinds) or (reason is not None and reason.code in kinds)
    if is_other or not any(header.component for header in images):
        return ()
    facts = facts_of(acquisition, root=root)
    judged = ((row, row.judge(facts)) for row in RECOMMENDATIONS)
    return _ordered(_finding(row, judgement, facts.vendor) for row, judgement in judged if judgement is not None)


def restored(judged: Iterable[tuple[str, str, str]], vendor: str) -> tuple[Finding, ...]:
    """Return findings of which name, level and what was found were kept; those that this version does not know are not.

    ``vendor`` is as in ``Acquisition.vendor``.
    """
    known = (
        (_BY_NAME[name], level, found) for name, level, found in judged if name in _BY_NAME and level in _IMPORTANCE
    )
    return _ordered(_finding(row, Judgement(level=Level(level), found=found), vendor) for row, level, found in known)


def _finding(row: Recommendation, judgement: Judgement, vendor: str) -> Finding:
    is_fine = judgement.level is Level.FINE
    return Finding(
        name=row.name,
        found=judgement.found,
        level=judgement.level,
        why=row.why,
        source=row.source,
        change="" if is_fine else row.change,
        vendor_words="" if is_fine else row.vendor_words.get(vendor, ""),
    )


def _ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort by level; within a level the order of the table stays."""
    return tuple(sorted(findings, key=lambda one: _IMPORTANCE.index(one.level)))
