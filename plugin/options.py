"""The choice of method and engine, checked before anything depends on it."""

from __future__ import annotations

from plugin.errors import ConfigurationError
from plugin.settings import Reconstruction
from recon.engines.choose import ENGINES
from recon.methods import METHODS
from recon.pipeline import Options


def options_of(chosen: Reconstruction) -> Options:
    """Turn a site's choice into the options of the reconstruction.

    Raises
    ------
    ConfigurationError
        There is no such method or engine; the message lists those there are.
    """
    mistakes = []
    for name, value, known in (
        ("method", chosen.method, tuple(METHODS)),
        ("engine", chosen.engine, ("auto", *ENGINES)),
        ("fallback", chosen.fallback, ("", *METHODS)),
    ):
        if value not in known:
            mistakes.append(f"reconstruction: no {name} {value!r}; expected one of {', '.join(known)}")
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
    return Options(method=chosen.method, engine=chosen.engine, fallback=chosen.fallback)
