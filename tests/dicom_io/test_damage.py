"""Damaged input ends in a result or a refusal, and what is complete is never changed by it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from dicom_io.acquisition import assess
from dicom_io.errors import Refusal
from dicom_io.folder import find_acquisitions
from dicom_io.headers import ImageHeader, read_headers
from dicom_io.read import read_acquisition
from dicom_io.scanner import write_scan
from recon.errors import InvalidInputError
from tests.dicom_io.phantom import make_echoes

MUTATIONS = 120


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Cut, flip, drop, repeat or overwrite some bytes, mostly in the header."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(128, len(data)) if rng.random() < 0.8 else rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            del data[at:]
        elif kind == 1:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del data[at : at + rng.randint(1, 40)]
        elif kind == 3:
            data[at:at] = data[at : at + rng.randint(1, 40)]
        else:
            data[at : at + 4] = rng.randbytes(4)
        if len(data) < 200:
            break
    return bytes(data)


@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips", "siemens-enhanced", "philips-enhanced"])
def test_mutated_headers_are_read_or_refused(vendor: str, scans: dict[str, Path], tmp_path: Path) -> None:
    rng = random.Random(f"headers {vendor}")
    sources = sorted(scans[vendor].glob("*.dcm"))
    path = tmp_path / "mutated.dcm"
    outcomes = {"read": 0, "refused": 0}
    for _ in range(MUTATIONS):
        path.write_bytes(mutate(rng.choice(sources).read_bytes(), rng))
        try:
            assert all(ImageHeader.from_json(h.to_json()) == h for h in read_headers(path))
            outcomes["read"] += 1
        except Refusal:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 0


@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips"])
def test_no_volume_from_a_scan_with_a_damaged_image_is_incomplete(vendor: str, tmp_path: Path) -> None:
    echoes = make_echoes(echo_times_s=(0.004, 0.009), shape=(5, 4, 3))
    paths = write_scan(echoes, tmp_path, vendor=vendor, study_seed=1)
    originals = {path: path.read_bytes() for path in paths}
    rng = random.Random(f"scans {vendor}")
    for _ in range(MUTATIONS // 4):
        victim = rng.choice(paths)
        victim.write_bytes(mutate(originals[victim], rng))
        for acquisition in find_acquisitions(tmp_path).acquisitions:
            try:
                read = read_acquisition(acquisition)
            except (Refusal, InvalidInputError):
                assert assess(acquisition).state in ("complete", "incomplete", "refused")
                continue
            assert read.grid.shape == echoes.grid.shape
            assert np.isfinite(read.phase_rad).all()
        victim.write_bytes(originals[victim])
    (acquisition,) = find_acquisitions(tmp_path).acquisitions
    assert read_acquisition(acquisition).grid.shape == echoes.grid.shape
