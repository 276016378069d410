"""Which derived objects a site switches on: the part of the configuration below ``[objects]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from plugin.jobs.objects import OBJECTS, REFUSAL_PAGE


def _is_object(name: str) -> str:
    known = (*OBJECTS, REFUSAL_PAGE)
    if name not in known:
        raise ValueError(f"there is no object {name!r}; expected some of {', '.join(known)}")
    return name


ObjectName = Annotated[str, AfterValidator(_is_object)]
"""Name of an object that a destination may get."""


class Objects(BaseModel):
    """Which derived objects are made, beside the QSM series, which always is.

    A switch for each object of ``plugin.jobs.objects.OBJECTS``, and ``refusal-page``: a page in words in place of a map
    that was refused or failed.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda name: name.replace("_", "-"),
        validate_by_name=True,
    )

    qsm_enhanced: bool = True
    swi: bool = False
    true_swi: bool = False
    min_ip: bool = False
    r2star: bool = False
    total_field: bool = False
    local_field: bool = False
    parametric_map: bool = False
    brain_mask: bool = False
    phase_quality: bool = False
    regional_report: bool = False
    quality_page: bool = True
    refusal_page: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Objects that are switched on, the QSM series among them."""
        on = {name.replace("_", "-") for name, value in self if value}
        return tuple(name for name in (*OBJECTS, REFUSAL_PAGE) if name in on or name == "qsm")
