"""What a reader of the map should know of its images, from their headers."""

from __future__ import annotations

from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.components import Component
from dicom_io.source.zero_fill import zero_fill_note


def notes_of(acquisition: Acquisition) -> tuple[str, ...]:
    """Sentences about an acquisition that can be reconstructed; none if its images are as they should be."""
    phase = [header for header in acquisition.headers if header.component not in (None, Component.MAGNITUDE)]
    notes = [zero_fill_note(acquisition)]
    if corrected := next((header.distortion for header in phase if header.distortion not in ("", "ND")), ""):
        notes.append(
            f"the phase was corrected for gradient distortion ({corrected}), which interpolates it across its wraps; "
            "store it without distortion correction"
        )
    if any(header.weighted_beside for header in phase):
        notes.append(
            "susceptibility weighted images or projections of the same scan are stored beside it; some scanners then "
            "store filtered phase, which has lost part of the field"
        )
    return tuple(note for note in notes if note)
