"""What a map says of itself: its expected error, where that is known, before how it was made."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dicom_io.derived.context.derivation import map_texts
from tests.dicom_io.conftest import only_acquisition
from tests.support.everything import sources_of

STATED = "Expected error 24 ppb RMS over the brain, below 35 ppb in 9 of 10 such maps."


def test_the_expected_error_is_stated_before_how_the_map_was_made(scans: dict[str, Path]) -> None:
    sources = sources_of(only_acquisition(scans["siemens"]))
    for text in map_texts(sources):
        assert text.startswith("For research use only. Magnetic susceptibility in ppb")
        assert 0 < text.index(STATED) < text.index("method network")
    unknown = dataclasses.replace(sources.reconstruction, expected_error=None)
    for text in map_texts(dataclasses.replace(sources, reconstruction=unknown)):
        assert "Expected error" not in text
