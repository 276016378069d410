"""What a reader of the map should know of its images, from their headers."""

from __future__ import annotations

from typing import Final

from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.components import Component
from dicom_io.source.zero_fill import zero_fill_note

_NOTABLE_GAP: Final = 1.15
"""Ratio of the distance of slices to their thickness; gaps of a tenth are usual in two-dimensional scans."""


def notes_of(acquisition: Acquisition) -> tuple[str, ...]:
    """Sentences about an acquisition that can be reconstructed; none if its images are as they should be."""
    phase = [header for header in acquisition.headers if header.component not in (None, Component.MAGNITUDE)]
    notes = [zero_fill_note(acquisition), _gap_note(acquisition)]
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


def _gap_note(acquisition: Acquisition) -> str | None:
    """Note gaps between slices, in which sources are missed; None if the header does not state the thickness."""
    grid = acquisition.completeness.slices
    thickness_mm = acquisition.headers[0].slice_thickness_mm or 0.0
    if grid is None or thickness_mm <= 0 or grid.spacing_mm <= _NOTABLE_GAP * thickness_mm:
        return None
    return (
        f"the slices are {grid.spacing_mm:.3g} mm apart and {thickness_mm:.3g} mm thick; what is in the gaps between "
        "them was not imaged, and changes the field all the same"
    )
