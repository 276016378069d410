"""Repetitions that only their order tells apart, and coil elements stored beside a scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.source.acquisition.coils import elements_of, is_element
from dicom_io.source.acquisition.grouping import group_acquisitions
from dicom_io.source.components import Component
from dicom_io.source.header import ImageHeader
from tests.dicom_io.source.acquisition.test_halves import another_run, answers, edited
from tests.support.synthetic import read_header


@pytest.fixture(scope="module")
def headers(scans: dict[str, Path]) -> list[ImageHeader]:
    return [read_header(path) for path in sorted(scans["siemens"].glob("*.dcm"))]


def numbered(headers: list[ImageHeader], run: str, magnitude: int, phase: int, acquired: str = "") -> list[ImageHeader]:
    """Give a run series of these numbers, and a time."""
    of = {Component.MAGNITUDE: magnitude, Component.PHASE: phase}
    return [
        replace(
            header,
            series_instance_uid=f"{header.series_instance_uid}.{run}",
            sop_instance_uid=f"{header.sop_instance_uid}.{run}",
            series_number=of[header.component],  # type: ignore[index]
            acquired=acquired,
        )
        for header in headers
    ]


@pytest.mark.parametrize("acquired", ["", "20240104120000"])
@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((5, 6), (15, 16), ["complete"] * 2),
        ((6, 5), (8, 7), ["complete"] * 2),
        ((5, 7), (6, 8), ["runs-undetermined"]),
        ((5, 8), (6, 7), ["runs-undetermined"]),
        ((5, 5), (5, 5), ["runs-undetermined"]),
    ],
)
def test_two_runs_at_no_time_or_the_same(
    first: tuple[int, int], second: tuple[int, int], expected: list[str], acquired: str, headers: list[ImageHeader]
) -> None:
    both = numbered(headers, "1", *first, acquired) + numbered(headers, "2", *second, acquired)
    assert answers(both) == expected
    for group in group_acquisitions(both):
        if group.doubt is None:
            assert len({header.series_instance_uid[-1] for header in group.headers}) == 1


def test_repetition_numbers_tell_runs_apart(headers: list[ImageHeader]) -> None:
    first, second = numbered(headers, "1", 5, 7), numbered(headers, "2", 6, 8)
    assert answers(first + edited(second, acquisition_number=2)) == ["complete"] * 2
    assert answers(first + edited(second, temporal_position=2)) == ["complete"] * 2


def test_a_run_without_its_magnitude_is_not_given_that_of_another(headers: list[ImageHeader]) -> None:
    second = [h for h in numbered(headers, "2", 15, 16) if h.component is Component.PHASE]
    assert answers(numbered(headers, "1", 5, 6) + second) == ["runs-undetermined"]


def test_a_normalised_magnitude_without_time_is_not_another_run(headers: list[ImageHeader]) -> None:
    untimed = edited(headers, acquired="")
    second = edited(another_run([h for h in untimed if h.component is Component.MAGNITUDE], ""), is_normalised=False)
    assert sorted(answers(untimed + second)) == ["complete", "extra-series"]


def with_coils(headers: list[ImageHeader], *coils: str, acquired: str | None = None) -> list[ImageHeader]:
    time = headers[0].acquired if acquired is None else acquired
    return [h for n, coil in enumerate(coils) for h in edited(another_run(headers, time, 10 * n), coil=coil)]


@pytest.mark.parametrize(
    ("coils", "expected"),
    [
        (("HEA;HEP", "H1", "H2"), ["coil-element", "complete"]),
        (("H1", "H2", "HE1-4"), ["coil-element", "complete"]),
        (("Head_32\\HC1-7", "Head_32\\HC1", "Head_32\\HC2"), ["coil-element", "complete"]),
        (("Head 32", "channel 1", "channel 2"), ["coil-element", "complete"]),
        (("H1", "H2"), ["uncombined-coils"]),
        (("left", "right"), ["uncombined-coils"]),  # at the same time, and nothing says which is which
    ],
)
def test_coil_elements_are_left_out(coils: tuple[str, ...], expected: list[str], headers: list[ImageHeader]) -> None:
    found = with_coils(headers, *coils)
    assert sorted(answers(found)) == expected
    for group in group_acquisitions(found):
        if group.completeness.state == "complete":
            assert len({header.coil for header in group.headers}) == 1


def test_runs_with_other_coils_are_two_acquisitions(headers: list[ImageHeader]) -> None:
    later = edited(another_run(headers, "20240104081500"), coil="HEA")
    assert answers(edited(headers, coil="HEA;HEP") + later) == ["complete", "complete"]


@pytest.mark.parametrize(
    ("coil", "single"),
    [
        *[("H1", True), ("HC12", True), ("Head_32\\HE3", True)],
        *[(name, False) for name in ("HE1-4", "HEA;HEP", "T:HEA", "BC", "Head_32", "")],
    ],
)
def test_names_of_single_elements(coil: str, single: bool) -> None:
    assert is_element(coil) is single


def test_numbered_names_of_one_stem_are_elements() -> None:
    assert elements_of(["Head 32", "ch 1", "ch 2"]) == {"ch 1", "ch 2"}
    assert elements_of(["left", "right"]) == frozenset()


def test_magnitude_and_phase_with_and_without_normalisation_are_two_acquisitions(headers: list[ImageHeader]) -> None:
    """Magnitudes before phases, all of one time: one scan stored twice, which may not be rejected."""
    plain = edited(numbered(headers, "1", 5, 7, headers[0].acquired), is_normalised=False)
    even = edited(numbered(headers, "2", 6, 8, headers[0].acquired), is_normalised=True)
    groups = group_acquisitions(plain + even)
    assert answers(plain + even) == ["complete", "complete"]
    assert [len({header.is_normalised for header in group.headers}) for group in groups] == [1, 1]
