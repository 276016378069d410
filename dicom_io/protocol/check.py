"""Hold an acquisition against the recommendations."""

from __future__ import annotations

from dataclasses import dataclass

from dicom_io.errors import Refusal
from dicom_io.protocol.facts import facts_of
from dicom_io.protocol.judgements import Level
from dicom_io.protocol.recommendations import RECOMMENDATIONS
from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.kinds import SEQUENCE_KINDS


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


def check_protocol(acquisition: Acquisition) -> tuple[Finding, ...]:
    """Judge each recommendation that applies; empty for images that are not those of a gradient echo."""
    images = acquisition.headers
    if not any(header.component for header in images) or any(header.other_kind in SEQUENCE_KINDS for header in images):
        return ()
    try:
        facts = facts_of(acquisition)
    except Refusal:  # the file changed since its header was read
        return ()
    judged = ((row, row.judge(facts)) for row in RECOMMENDATIONS)
    return tuple(
        Finding(
            name=row.name,
            found=judgement.found,
            level=judgement.level,
            why=row.why,
            source=row.source,
            change="" if judgement.level is Level.FINE else row.change,
            vendor_words="" if judgement.level is Level.FINE else row.vendor_words.get(facts.vendor, ""),
        )
        for row, judgement in judged
        if judgement is not None
    )
