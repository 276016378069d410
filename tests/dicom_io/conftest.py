"""Signals, scans of each vendor, and the real data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pydicom.config
import pytest

from dicom_io.source.acquisition.grouping import Acquisition
from dicom_io.source.folder import find_acquisitions
from dicom_io.synthetic import write_scan
from recon.types import GradientEcho
from tests.support.phantom import make_echoes

REAL_DATA = Path(__file__).parents[3] / "shared" / "realdata"


@pytest.fixture(autouse=True)
def strict_dicom() -> Iterator[None]:
    """Values that break the standard are errors, on writing; what scanners wrote is read as it is."""
    settings = pydicom.config.settings
    before = settings.writing_validation_mode
    settings.writing_validation_mode = pydicom.config.RAISE
    yield
    settings.writing_validation_mode = before


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not REAL_DATA.is_dir():
        pytest.skip("no real data beside the repository (../shared/realdata)")
    return REAL_DATA


@pytest.fixture(scope="session")
def echoes() -> GradientEcho:
    return make_echoes()


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory, echoes: GradientEcho) -> dict[str, Path]:
    """A folder per scanner, written when it is asked for, not to be changed."""

    class Scans(dict[str, Path]):
        def __missing__(self, vendor: str) -> Path:
            self[vendor] = tmp_path_factory.mktemp(vendor)
            write_scan(echoes, self[vendor], vendor=vendor, study_seed=3)
            return self[vendor]

    return Scans()


def only_acquisition(folder: Path) -> Acquisition:
    (acquisition,) = find_acquisitions(folder).acquisitions
    return acquisition
