"""The protocols of the site as the latest series show them, each compared with the recommendations of the field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from dicom_io.protocol.check import Finding, restored
from plugin.config.self_test import SELF_TEST_AE
from plugin.config.settings import Settings
from plugin.intake.database.overview import NAME_LENGTH
from plugin.intake.database.protocols import ProtocolRow
from plugin.intake.index import existing_index
from plugin.service.console.records.descriptions import Description, describe_image

LATEST: Final = 100
"""How many series are looked at, the latest ones."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A protocol of a scanner, as the latest of its series shows it.

    Parameters
    ----------
    name
        What the console calls that series in addresses.
    description
        Of an image of it.
    received_at
        When its last image came.
    findings
        The most important first.
    series
        How many of the latest series have this protocol.
    """

    name: str
    description: Description
    received_at: float
    findings: Sequence[Finding]
    series: int


def list_protocols(settings: Settings) -> list[Protocol]:
    """Return each scanner's protocols in the latest gradient-echo series, the latest first; not the self-test's."""
    with closing(existing_index(settings)) as index:
        names = index.latest_protocols(LATEST)
        arrived, kept = index.arrived(names), index.protocols(names)
    described = {
        name: describe_image(settings.spool, arrived[name])
        for name in names
        if name in arrived and arrived[name].calling_ae != SELF_TEST_AE
    }
    counted = Counter(map(_key, described.values()))
    latest: dict[tuple[str, ...], Protocol] = {}
    for name, description in described.items():
        if (key := _key(description)) not in latest:
            latest[key] = Protocol(
                name=name[:NAME_LENGTH],
                description=description,
                received_at=arrived[name].last_at,
                findings=findings_of(kept[name]),
                series=counted[key],
            )
    return list(latest.values())


def findings_of(row: ProtocolRow) -> Sequence[Finding]:
    """Return the findings on a protocol, the most important first; none for images that are not a gradient echo."""
    return restored(row.judged, row.vendor)


def levels_of(findings: Sequence[Finding]) -> Mapping[str, int]:
    """Count findings by level, the most important first."""
    return Counter(str(one.level) for one in findings)


def _key(description: Description) -> tuple[str, ...]:
    """Tell protocols apart by what a person calls them; an image without a protocol has a series description."""
    name = description.protocol or description.series
    return description.manufacturer, description.model, description.field_t, name
