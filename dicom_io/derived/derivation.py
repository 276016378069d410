"""How a map was made, in the words that travel with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dicom_io.derived.pixel_profile import PixelProfile
from dicom_io.identity import SOFTWARE_VERSIONS
from recon.types import Reconstruction

_DESCRIPTION_LENGTH: Final = 1024  # ST, PS3.5 §6.2
_COMMENTS_LENGTH: Final = 10240  # LT
_ASCII: Final = str.maketrans(
    {"χ": "chi", "φ": "phi", "γ": "gamma", "π": "pi", "λ": "lambda", "σ": "sigma", "µ": "u", "μ": "u", "Δ": "delta "}
    | {"×": "x", "±": "+-", "−": "-", "–": "-", "—": "-", "·": "*", "°": " deg", "²": "^2", "³": "^3", "≤": "<="}
    | {"\\": "/", "“": '"', "”": '"', "’": "'", "…": "..."}
)


def describe(
    reconstruction: Reconstruction,
    echo_times_s: Sequence[float],
    profile: PixelProfile,
    *,
    clipped: int,
    revision: int,
) -> tuple[str, str]:
    """State method, input, reference and warnings.

    Parameters
    ----------
    reconstruction
        The map and how it was made.
    echo_times_s
        Echoes that were used.
    profile
        How values are stored.
    clipped
        Number of voxels out of its range.
    revision
        Stated if it is not the first.

    Returns
    -------
    str, str
        DerivationDescription, and ImageComments with all warnings; ASCII, of legal length.
    """
    provenance = reconstruction.provenance
    times = ", ".join(f"{time * 1e3:g}" for time in echo_times_s)
    sentences = [
        "For research use only.",
        f"Magnetic susceptibility in ppb relative to {reconstruction.susceptibility.reference}.",
        f"{SOFTWARE_VERSIONS}, method {provenance.method}"
        + (f", engine {provenance.engine}" if provenance.engine else "")
        + (f", weights sha256 {provenance.weights_sha256}" if provenance.weights_sha256 else "")
        + ".",
        f"From {len(echo_times_s)} gradient echoes, TE {times} ms.",
    ]
    warnings = list(reconstruction.warnings)
    if clipped:
        limit = (profile.largest - 2 ** (profile.bits_stored - 1)) // profile.steps_per_ppb
        warnings.append(f"{clipped} voxels beyond +-{limit} ppb were clipped.")
    stated = [f"Warning: {warning}" for warning in warnings] or ["No warnings."]
    revised = [f"Revision {revision}, made again after more source images arrived."] if revision > 1 else []
    references = [f"References: {', '.join(provenance.references)}."] if provenance.references else []
    description = _shortened(" ".join(sentences + stated), _DESCRIPTION_LENGTH)
    return description, _shortened(" ".join(sentences[:2] + revised + stated + references), _COMMENTS_LENGTH)


def _shortened(text: str, length: int) -> str:
    plain = text.translate(_ASCII).encode("ascii", "replace").decode()
    return plain if len(plain) <= length else plain[: length - 4] + " ..."
