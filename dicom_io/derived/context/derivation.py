"""How a derived object was made, as it says itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from dicom_io.derived.context.source_series import Sources
from dicom_io.derived.pixel_profile import PixelProfile
from dicom_io.identity import SOFTWARE_VERSIONS
from recon.products.types import Contrast

_DESCRIPTION_LENGTH: Final = 1024  # ST, PS3.5 §6.2
_COMMENTS_LENGTH: Final = 10240  # LT
_RESEARCH: Final = "For research use only."
_ASCII: Final = str.maketrans(
    {"χ": "chi", "φ": "phi", "γ": "gamma", "π": "pi", "λ": "lambda", "σ": "sigma", "µ": "u", "μ": "u", "Δ": "delta "}
    | {"×": "x", "±": "+-", "−": "-", "–": "-", "—": "-", "·": "*", "°": " deg", "²": "^2", "³": "^3", "≤": "<="}
    | {"\\": "/", "“": '"', "”": '"', "’": "'", "…": "...", "≥": ">=", "→": "->", "§": "section "}
)


def map_texts(sources: Sources, *further: str) -> tuple[str, str]:
    """Return DerivationDescription and ImageComments of a susceptibility map; ASCII, of legal length.

    They state reference, expected error, software, method, weights, echoes and verdict, then all warnings,
    ``further`` ones among them; quality figures, parameters and references where there is room.
    """
    reconstruction = sources.reconstruction
    susceptibility, provenance = reconstruction.susceptibility, reconstruction.provenance
    inside = susceptibility.chi_ppm[susceptibility.mask].astype(np.float64) * 1e3
    spread = f" ({inside.mean():.1f} +- {inside.std():.1f} ppb in the mask)" if inside.size else ""
    subject = f"Magnetic susceptibility in ppb relative to {susceptibility.reference}{spread}."
    if (error := reconstruction.expected_error) is not None:
        subject += f" Expected error {error.brain_ppb:.0f} ppb RMS over the brain, below {error.bound_ppb:.0f} ppb"
        subject += " in 9 of 10 such maps."
    figures = {**reconstruction.total_field.figures, **reconstruction.figures}
    stated = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())  # by their names in ``report.json``
    quality = [f"Quality figures: {stated}."] if stated else []
    details = (*quality, *_details(provenance.parameters, provenance.references))
    return _texts(subject, sources, further, details)


def contrast_texts(contrast: Contrast, sources: Sources, *further: str) -> tuple[str, str]:
    """Return the same of another derived volume, and of the reconstruction that it belongs to."""
    details = _details(contrast.parameters, contrast.references)
    return _texts(f"{contrast.title}.", sources, further, details, warnings=contrast.warnings)


def clipping_warning(clipped: int, profile: PixelProfile, unit: str) -> tuple[str, ...]:
    """Say how many voxels were out of range, if any."""
    low, high = profile.range
    limits = f"+-{high:g}" if low == -high else f"{low:g} to {high:g}"
    return (f"{clipped} voxels beyond {f'{limits} {unit}'.strip()} were clipped.",) if clipped else ()


def shortened(text: str, length: int) -> str:
    """Write text in ASCII, cut to a length."""
    plain = text.translate(_ASCII).encode("ascii", "replace").decode()
    return plain if len(plain) <= length else plain[: length - 4] + " ..."


def _texts(
    subject: str, sources: Sources, further: Sequence[str], details: Sequence[str], warnings: Sequence[str] = ()
) -> tuple[str, str]:
    reconstruction = sources.reconstruction
    common = dict.fromkeys((*reconstruction.total_field.warnings, *reconstruction.warnings))
    stated = [f"Warning: {warning}" for warning in (*warnings, *common, *further)] or ["No warnings."]
    brief = " ".join((_RESEARCH, subject, *_making(sources), *stated))
    full = " ".join((brief, *details))
    description = full if len(brief) <= _DESCRIPTION_LENGTH else brief
    return shortened(description, _DESCRIPTION_LENGTH), shortened(full, _COMMENTS_LENGTH)


def _making(sources: Sources) -> tuple[str, ...]:
    provenance, echo_times_s = sources.reconstruction.provenance, sources.series.slices.echo_times_s
    revision = sources.series.context.revision
    times = ", ".join(f"{time * 1e3:g}" for time in echo_times_s)
    made = f"{SOFTWARE_VERSIONS}, method {provenance.method}"
    made += f", engine {provenance.engine}" if provenance.engine else ""
    made += f", weights sha256 {provenance.weights_sha256}" if provenance.weights_sha256 else ""
    return (
        f"{made}.",
        f"From {len(echo_times_s)} gradient echo{'es' if len(echo_times_s) > 1 else ''}, TE {times} ms.",
        f"Quality verdict: {sources.reconstruction.verdict.level}.",
        *([f"Revision {revision}, made again after more source images arrived."] if revision > 1 else []),
    )


def _details(parameters: Mapping[str, str | float | int | bool], references: Sequence[str]) -> tuple[str, ...]:
    stated = ", ".join(f"{name} {value}" for name, value in parameters.items())
    return (
        *([f"Parameters: {stated}."] if stated else []),
        *([f"References: {', '.join(references)}."] if references else []),
    )
