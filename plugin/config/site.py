"""What a site says about its scanners, applied to headers: what is reconstructed, and the B0 direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal

from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.attributes import Patterns
from dicom_io.source.header import ImageHeader
from plugin.config.rules import Magnet, Rule
from plugin.config.self_test import SELF_TEST
from plugin.config.settings import Settings

NOT_OURS = "not-ours"
"""Code of an acquisition that the site's rules leave out."""

_TEXTS = {"protocol": "ProtocolName", "series": "SeriesDescription"}
"""Free text, of which headers keep only which rules it fits."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Whether an acquisition is reconstructed.

    ``rule`` names the rule that decided, if one did; ``trace`` is what each rule that was asked said, in words.
    """

    action: Literal["reconstruct", "ignore"]
    rule: str
    trace: tuple[str, ...]

    @property
    def reason(self) -> str:
        """Sentence for people."""
        if self.rule:
            return f"the rule {self.rule!r} of the configuration says so"
        return "no rule of the configuration fits, and otherwise = 'ignore'"


def patterns_of(rules: Sequence[Rule]) -> Patterns:
    """Free-text globs of the rules, for ``read_headers`` to look for."""
    return {
        _label(rule, field): (keyword, getattr(rule, field))
        for rule in rules
        for field, keyword in _TEXTS.items()
        if getattr(rule, field) != "*"
    }


def select(acquisition: Acquisition, calling_ae: str, settings: Settings) -> Selection:
    """Ask the rules in their order; the first that fits decides.

    The headers were read with ``patterns_of(settings.rules)``. At the desk ``calling_ae`` is empty and not compared.
    """
    trace: list[str] = []
    for rule in settings.rules:
        misfit = _misfit(rule, acquisition, calling_ae)
        if misfit is None or rule.name != SELF_TEST:  # which the site did not write
            trace.append(f"{rule.name}: {'fits: ' + rule.action if misfit is None else misfit}")
        if misfit is None:
            return Selection(action=rule.action, rule=rule.name, trace=tuple(trace))
    return Selection(action=settings.otherwise, rule="", trace=tuple(trace))


def _misfit(rule: Rule, acquisition: Acquisition, calling_ae: str) -> str | None:
    """Say which condition does not hold; None if all do. The values themselves are not shown."""
    headers = [header for header in acquisition.headers if header.component is not None] or list(acquisition.headers)
    if calling_ae and not _fits(rule.calling_ae, calling_ae):
        return "calling_ae does not fit"
    for field in _TEXTS:
        if getattr(rule, field) != "*" and not any(_label(rule, field) in header.labels for header in headers):
            return f"{field} does not fit"
    for field, attribute in (("sequence", "sequence_name"), ("body_part", "body_part"), ("model", "model")):
        if not any(_fits(getattr(rule, field), getattr(header, attribute)) for header in headers):
            return f"{field} does not fit"
    echoes = len({header.echo_time_s for header in headers})
    if echoes < rule.minimum_echoes or (rule.maximum_echoes is not None and echoes > rule.maximum_echoes):
        return f"{echoes} echoes do not fit"
    return None


def with_field(headers: tuple[ImageHeader, ...], calling_ae: str, magnets: Sequence[Magnet]) -> tuple[ImageHeader, ...]:
    """Give headers the B0 direction in the patient, where the site states one for their scanner."""
    near = [magnet for magnet in magnets if not calling_ae or _fits(magnet.calling_ae, calling_ae)]
    fields = [next((m.field for m in near if _fits(m.model, header.model)), None) for header in headers]
    return tuple(replace(h, b0_stated=field) if field else h for h, field in zip(headers, fields, strict=True))


def _fits(glob: str, value: str) -> bool:
    return fnmatchcase(value.casefold(), glob.casefold())


def _label(rule: Rule, field: str) -> str:
    return f"{rule.name}.{field}"
