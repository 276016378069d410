"""The choice of method and engine, checked before anything depends on it."""

from __future__ import annotations

from dicom_io.derived.pixel_profile import PROFILES
from dicom_io.derived.products import OBJECTS, QSM
from plugin.config.settings import Reconstruction
from plugin.errors import ConfigurationError
from recon.options import AUTO, ENGINE_NAMES, METHODS, Options


def objects_of(names: str) -> tuple[str, ...]:
    """Turn "all", or names with commas between them, into derived objects; the QSM series is always one of them.

    Raises
    ------
    ConfigurationError
        There is no such object.
    """
    if names.strip() == "all":
        return tuple(OBJECTS)
    chosen = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in OBJECTS]
    if unknown:
        raise ConfigurationError(
            f"no object {', '.join(map(repr, unknown))}; expected all, or some of {', '.join(OBJECTS)}"
        )
    return tuple(name for name in OBJECTS if name in (QSM, *chosen))


def profile_of(name: str) -> str:
    """Return the name of a pixel profile.

    Raises
    ------
    ConfigurationError
        There is no such profile.
    """
    if name not in PROFILES:
        raise ConfigurationError(f"no profile {name!r}; expected one of {', '.join(PROFILES)}")
    return name


def options_of(chosen: Reconstruction) -> Options:
    """Turn a site's choice into the options of the reconstruction.

    Raises
    ------
    ConfigurationError
        There is no such method or engine; the message lists those there are.
    """
    mistakes = []
    for name, value, known in (
        ("method", chosen.method, METHODS),
        ("engine", chosen.engine, (AUTO, *ENGINE_NAMES)),
        ("fallback", chosen.fallback, ("", *METHODS)),
    ):
        if value not in known:
            mistakes.append(f"reconstruction: no {name} {value!r}; expected one of {', '.join(known)}")
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
    return Options(method=chosen.method, engine=chosen.engine, fallback=chosen.fallback)
