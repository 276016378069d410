"""Which products a site switches on: the part of the configuration below ``[objects]``."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field, RootModel, field_validator

from dicom_io.derived.products import PRODUCTS, QSM

_DEFAULTS: Final = {name: product.default for name, product in PRODUCTS.items() if name != QSM}


def _known(name: str) -> str:
    if name not in PRODUCTS:
        raise ValueError(f"there is no object {name!r}; expected some of {', '.join(PRODUCTS)}")
    return name


def _switchable(name: str) -> str:
    if name == QSM:
        raise ValueError(f"{QSM!r} is always made and has no switch")
    return _known(name)


ObjectName = Annotated[str, AfterValidator(_known)]
"""Name of an object that a destination may get."""


Switches = dict[Annotated[str, AfterValidator(_switchable)], bool]


class Objects(RootModel[Switches]):
    """Which products are made, beside the QSM series, which always is: a switch for each row of the product table."""

    model_config = ConfigDict(frozen=True)

    root: Switches = Field(default={}, validate_default=True)

    @field_validator("root")
    @classmethod
    def _with_defaults(cls, given: dict[str, bool]) -> dict[str, bool]:
        return {**_DEFAULTS, **given}

    @property
    def names(self) -> tuple[str, ...]:
        """Products that are switched on, the QSM series among them."""
        return tuple(name for name in PRODUCTS if name == QSM or self.root[name])
