"""What a site decides about the reconstruction itself."""

from __future__ import annotations

from pydantic import ValidationInfo, field_validator

from plugin.config.rules import Frozen


class Reconstruction(Frozen):
    """How the total field is inverted, as in ``recon.options.Options``."""

    method: str = "network"
    engine: str = "auto"
    fallback: str = "lbv-hd-qsm"

    @field_validator("method", "engine", "fallback")  # not the defaults: this module needs no recon
    @classmethod
    def _is_known(cls, name: str, info: ValidationInfo) -> str:
        from recon.options import AUTO, ENGINES, METHODS

        names = {"method": tuple(METHODS), "engine": (AUTO, *ENGINES), "fallback": ("", *METHODS)}
        known = names[str(info.field_name)]
        if name not in known:
            raise ValueError(f"no {info.field_name} {name!r}; expected one of {', '.join(known)}")
        return name
