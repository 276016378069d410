"""The conformance statement says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from dicom_io.derived.context.origin import SERIES_NAMES
from plugin.jobs.objects import OBJECTS

from dicom_io.derived.context.series_number import series_numbers
from dicom_io.derived.products import KINDS
from dicom_io.derived.sr import SITES
from dicom_io.identity import IMPLEMENTATION_CLASS_UID, INSTANCE_CREATOR_UID
from plugin.network.send import DELIVERED

STATEMENT = (Path(__file__).parents[1] / "deploy" / "CONFORMANCE.md").read_text(encoding="utf-8").replace("−", "-")


@pytest.mark.parametrize("name", [name for name in KINDS if name != "qsm"])
def test_each_contrast_is_encoded_as_stated(name: str) -> None:
    kind = KINDS[name]
    (row,) = (line for line in STATEMENT.splitlines() if line.startswith(f"| `{name}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == "\\".join(kind.flavor)
    assert kind.unit.value in cells[2]
    assert kind.quantity.value in cells[3] if kind.quantity else cells[3] == "none"
    stored = [(kind.profiles[profile].slope, kind.profiles[profile].intercept) for profile in ("console12", "pacs16")]
    assert cells[4:6] == [f"{slope}, {intercept}" for slope, intercept in stored]
    assert cells[6] == f"{kind.windows[0].center} / {kind.windows[0].width}"


def test_the_map_is_encoded_as_stated() -> None:
    qsm = KINDS["qsm"]
    for profile in qsm.profiles.values():
        assert f"{profile.slope}, {profile.intercept}, US" in STATEMENT
    centers = "\\".join(str(window.center) for window in qsm.windows)
    widths = "\\".join(str(window.width) for window in qsm.windows)
    assert f"{centers}, {widths}" in STATEMENT
    assert "DERIVED\\PRIMARY\\" + "\\".join(qsm.flavor) in STATEMENT


def test_series_are_numbered_as_stated() -> None:
    stated = re.search(r"place in this list: (.*?); plus 20", STATEMENT, re.DOTALL)
    assert stated is not None
    numbers = dict(entry.rsplit(" ", 1) for entry in re.split(r",\s+", stated[1]))
    expected = series_numbers(SERIES_NAMES, 0, taken=())
    assert {name: int(number) for name, number in numbers.items()} == dict(expected)


def test_every_object_code_status_and_identifier_is_named() -> None:
    for name in OBJECTS:
        assert f"`{name}`" in STATEMENT
    own = {code.value for code in SITES.values() if code.scheme == "99QSMPLUGIN"}
    own |= {kind.quantity.value for kind in KINDS.values() if kind.quantity and kind.quantity.scheme == "99QSMPLUGIN"}
    for code in own:
        assert f"`{code}`" in STATEMENT
    for status in DELIVERED:
        assert f"0x{status:04X}" in STATEMENT
    assert IMPLEMENTATION_CLASS_UID in STATEMENT
    assert INSTANCE_CREATOR_UID in STATEMENT
