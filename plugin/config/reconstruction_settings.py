"""What a site decides about the reconstruction itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from plugin.config.rules import Frozen


def _known(setting: str) -> tuple[str, ...]:
    from recon.options import AUTO, ENGINES, METHODS

    return {"method": tuple(METHODS), "engine": (AUTO, *ENGINES), "fallback": ("", *METHODS)}[setting]


def _listed(setting: str) -> Callable[[dict[str, Any]], None]:
    """Add the known names to the schema of a setting."""
    return lambda schema: schema.update(enum=list(_known(setting)))


class Reconstruction(Frozen):
    """How the total field is inverted."""

    method: str = Field(default="network", json_schema_extra=_listed("method"))
    """Inversion method: the network, or a published method."""
    engine: str = Field(default="auto", json_schema_extra=_listed("engine"))
    """Inference engine of the network; ``auto`` takes the first that works here."""
    fallback: str = Field(default="lbv-hd-qsm", json_schema_extra=_listed("fallback"))
    """Method that takes over, with a warning, where the map fails its quality check; empty for none."""

    @field_validator("method", "engine", "fallback")  # not the defaults: this module needs no recon
    @classmethod
    def _is_known(cls, name: str, info: ValidationInfo) -> str:
        known = _known(str(info.field_name))
        if name not in known:
            raise ValueError(f"no {info.field_name} {name!r}; expected one of {', '.join(known)}")
        return name
