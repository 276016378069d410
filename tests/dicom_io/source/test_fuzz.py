"""Mutated scans end in a result or a refusal: no crash, no hang, no volume from an incomplete grid.

``QSM_FUZZ_INPUTS`` sets how many inputs there are (a few hundred if not given); ``-s`` prints their summary.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom.config
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicom_io.errors import Refusal
from dicom_io.source.acquisition.completeness import assess
from dicom_io.source.components import Component
from dicom_io.source.folder import find_acquisitions
from dicom_io.source.header import ImageHeader
from dicom_io.source.read import read_acquisition
from dicom_io.synthetic import write_scan
from recon.errors import InvalidInputError
from tests.support.mutate import Change, Scan, mutate_bytes, mutate_elements, without_validation
from tests.support.phantom import make_echoes

INPUTS = int(os.environ.get("QSM_FUZZ_INPUTS", "240"))
LIMIT_SECONDS = 30
VENDORS = ("siemens", "ge-polar", "philips", "hitachi", "siemens-enhanced", "philips-complex-enhanced", "canon-legacy")
SHAPE = (5, 4, 3)

Summary = Counter[str]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scan]:
    echoes, found = make_echoes(echo_times_s=(0.004, 0.009), shape=SHAPE), {}
    echoes.phase_rad[:, 0, 0, :] = 3.1415  # as in noise, which shows the unit of polar phase
    for vendor in VENDORS:
        paths = write_scan(echoes, tmp_path_factory.mktemp(vendor), vendor=vendor, study_seed=1)
        found[vendor] = {path.name: path.read_bytes() for path in paths}
    return found


@pytest.fixture(scope="module")
def summary() -> Iterator[Summary]:
    counted: Summary = Counter()
    yield counted
    print(f"\n{sum(counted.values())} mutated inputs: " + ", ".join(f"{n} {what}" for what, n in counted.most_common()))


@pytest.fixture(autouse=True)
def damaged_values() -> Iterator[None]:
    modes = pydicom.config.settings
    before = modes.reading_validation_mode, modes.writing_validation_mode
    without_validation()
    yield
    modes.reading_validation_mode, modes.writing_validation_mode = before


@contextmanager
def no_hang() -> Iterator[None]:
    def hangs(_number: int, _frame: object) -> None:
        raise AssertionError(f"more than {LIMIT_SECONDS} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(LIMIT_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def outcome(scan: Scan, folder: Path) -> str:
    """Read a scan as the product does; say what became of it, and check every volume that came of it."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, content in scan.items():
        (folder / name).write_bytes(content)
    with no_hang():
        results = [_outcome_of(acquisition) for acquisition in find_acquisitions(folder).acquisitions]
    return "read" if "read" in results else next(iter(results), "skipped")


def _outcome_of(acquisition: object) -> str:
    state = assess(acquisition).state  # type: ignore[arg-type]
    try:
        echoes = read_acquisition(acquisition)  # type: ignore[arg-type]
    except (Refusal, InvalidInputError):
        return state if state != "complete" else "refused while reading"
    assert state == "complete"
    assert all(ImageHeader.from_json(h.to_json()) == h for h in acquisition.headers)  # type: ignore[attr-defined]
    headers = [h for h in acquisition.headers if h.component is not None]  # type: ignore[attr-defined]
    cells = Counter((h.echo_time_s, h.component, h.image_position_mm) for h in headers)
    polar = any(component is Component.PHASE for _, component, _ in cells)
    used = (Component.MAGNITUDE, Component.PHASE) if polar else (Component.REAL, Component.IMAGINARY)
    for time, component in itertools.product(echoes.echo_times_s, used):
        images = sum(n for (t, c, _), n in cells.items() if c is component and abs((t or 0) - time) < 1e-6)
        assert images == echoes.grid.shape[2]
    assert echoes.phase_rad.shape == (len(echoes.echo_times_s), *echoes.grid.shape)
    assert np.isfinite(echoes.phase_rad).all()
    assert np.isfinite(echoes.magnitude).all()
    return "read"


def test_mutated_bytes(originals: dict[str, Scan], summary: Summary, tmp_path: Path) -> None:
    rng = random.Random("bytes")
    for number in range(INPUTS // 2):
        vendor = rng.choice(VENDORS)
        scan = dict(originals[vendor])
        for name in rng.sample(sorted(scan), min(len(scan), rng.choice((1, 1, 2, 100)))):
            scan[name] = mutate_bytes(scan[name], rng)
        summary[f"bytes: {outcome(scan, tmp_path / 'scan')}"] += 1
        if number % 50 == 0:  # and the next good one is read
            assert outcome(originals[vendor], tmp_path / "scan") == "read"


CHANGES = st.builds(
    Change,
    kind=st.sampled_from(["drop", "junk", "retype", "exchange"]),
    element=st.integers(0, 400),
    scope=st.sampled_from([0, 1, 2, 3]),
    choice=st.integers(0, 11),
)


def test_mutated_elements(originals: dict[str, Scan], summary: Summary, tmp_path: Path) -> None:
    @settings(
        max_examples=INPUTS // 2,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(VENDORS), st.lists(CHANGES, min_size=1, max_size=3))
    def check(vendor: str, changes: list[Change]) -> None:
        summary[f"elements: {outcome(mutate_elements(originals[vendor], changes), tmp_path / 'scan')}"] += 1

    check()
    for vendor in VENDORS:
        assert outcome(originals[vendor], tmp_path / "scan") == "read"


@pytest.mark.parametrize("vendor", ["siemens", "ge-polar", "philips", "hitachi"])
def test_whichever_images_are_lost_there_is_no_volume(
    vendor: str, originals: dict[str, Scan], summary: Summary, tmp_path: Path
) -> None:
    """Shuffled names, too: the order of files says nothing."""
    rng = random.Random(f"lost {vendor}")
    names = sorted(originals[vendor])
    for count in itertools.islice(itertools.cycle((1, 2, 5)), max(6, INPUTS // 80)):
        kept = rng.sample(names, len(names) - count)
        scan = {f"{number}.dcm": originals[vendor][name] for number, name in enumerate(kept)}
        result = outcome(scan, tmp_path / "scan")
        summary[f"images lost: {result}"] += 1
        assert result != "read"
