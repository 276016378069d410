"""Magnitude without phase and phase without magnitude: joined within tolerances, never mixed, else explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dicom_io.source.acquisition.completeness import assess
from dicom_io.source.acquisition.differences import LONGEST_PAUSE_S
from dicom_io.source.acquisition.grouping import Acquisition, group_acquisitions
from dicom_io.source.components import Component
from dicom_io.source.header import ImageHeader
from tests.support.synthetic import read_header

Edit = Callable[[ImageHeader], dict[str, Any]]


@pytest.fixture(scope="module")
def headers(scans: dict[str, Path]) -> list[ImageHeader]:
    return [read_header(path) for path in sorted(scans["siemens"].glob("*.dcm"))]


def edited(headers: list[ImageHeader], component: Component | None = None, **changes: Any) -> list[ImageHeader]:
    return [replace(h, **changes) if component in (None, h.component) else h for h in headers]


def another_run(headers: list[ImageHeader], acquired: str, series: int = 10) -> list[ImageHeader]:
    return [
        replace(
            header,
            series_instance_uid=f"{header.series_instance_uid}.{series}",
            sop_instance_uid=f"{header.sop_instance_uid}.{series}",
            series_number=(header.series_number or 0) + series,
            acquired=acquired,
        )
        for header in headers
    ]


def answers(headers: list[ImageHeader]) -> list[str]:
    found = [assess(group) for group in group_acquisitions(headers)]
    return [one.reason.code if one.reason else one.state for one in found]


def test_nothing_is_joined_without_need(headers: list[ImageHeader]) -> None:
    (group,) = group_acquisitions(headers)
    assert group.doubt is None
    assert {header.component for header in group.headers} == {Component.MAGNITUDE, Component.PHASE}


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol_sha256": "other"},
        {"sequence_name": "fl3d3r"},
        {"coil": "HEA"},
        {"acquisition_number": 7},
        {"frame_of_reference_uid": ""},
        {"acquired": "20240104080025"},
        {"acquired": ""},
        {"pixel_spacing_mm": (0.9003, 0.7)},
        {"protocol_sha256": "other", "sequence_name": "fl", "acquired": "20240104080012", "coil": ""},
    ],
)
def test_what_means_nothing_does_not_keep_magnitude_and_phase_apart(
    changes: dict[str, Any], headers: list[ImageHeader]
) -> None:
    assert answers(edited(headers, Component.PHASE, **changes)) == ["complete"]
    assert answers(edited(headers, Component.MAGNITUDE, **changes)) == ["complete"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frame_of_reference_uid": "1.2"}, "FrameOfReferenceUID"),
        ({"acquired": f"2024010408{int(LONGEST_PAUSE_S) // 30:02d}01"}, "AcquisitionTime"),
        ({"pixel_spacing_mm": (0.92, 0.7)}, "PixelSpacing"),
        ({"rows": 16}, "Rows or Columns"),
        ({"distortion": "DIS2D"}, "distortion correction"),
        ({"coil": "H3"}, "coil element"),
        ({"image_orientation": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)}, "ImageOrientationPatient"),
    ],
)
def test_what_matters_is_named(changes: dict[str, Any], said: str, headers: list[ImageHeader]) -> None:
    groups = group_acquisitions(edited(headers, Component.PHASE, **changes))
    reasons = [assess(group).reason for group in groups]
    assert [reason and reason.code for reason in reasons] == ["apart", "apart"]
    assert said in str(reasons[0])


def test_orientations_that_differ_by_rounding_are_one(headers: list[ImageHeader]) -> None:
    turned = [
        replace(
            h, image_orientation=tuple(c + 1e-9 * (h.component is Component.PHASE) for c in h.image_orientation or ())
        )
        for h in headers
    ]
    assert answers(turned) == ["complete"]


def test_of_two_runs_each_phase_joins_the_magnitude_of_its_time(headers: list[ImageHeader]) -> None:
    """Also where both are within the tolerance, and protocol names differ between magnitude and phase."""
    second = another_run(headers, "20240104080020")
    groups = group_acquisitions(edited(headers + second, Component.PHASE, protocol_sha256="other"))
    assert [assess(group).state for group in groups] == ["complete", "complete"]
    assert [len({header.acquired for header in group.headers}) for group in groups] == [1, 1]


def test_without_times_two_runs_of_other_protocol_names_are_not_joined(headers: list[ImageHeader]) -> None:
    both = edited(headers, acquired="") + another_run(headers, "")
    assert set(answers(edited(both, Component.PHASE, protocol_sha256="other"))) == {"runs-undetermined"}


def test_echoes_of_protocol_names_of_their_own_are_one_scan(headers: list[ImageHeader]) -> None:
    split = [
        replace(
            header,
            protocol_sha256=f"{header.component} {header.echo_number}",
            series_instance_uid=f"{header.series_instance_uid}.{header.echo_number}",
        )
        for header in headers
    ]
    (group,) = group_acquisitions(split)
    assert len(group.series_instance_uids) == 6
    assert assess(group).state == "complete"


def test_a_further_magnitude_says_that_the_scan_is_complete_without_it(headers: list[ImageHeader]) -> None:
    magnitude = another_run([h for h in headers if h.component is Component.MAGNITUDE], headers[0].acquired)
    assert sorted(answers(headers + magnitude)) == ["complete", "extra-series"]


def test_a_scan_without_any_phase_is_told_to_store_it(headers: list[ImageHeader]) -> None:
    magnitude = [h for h in headers if h.component is Component.MAGNITUDE]
    assert answers(magnitude) == ["no-phase"]
    first = [h for h in magnitude if h.echo_time_s == magnitude[0].echo_time_s]
    (group,) = group_acquisitions(first)
    assert "the magnitude of 1 echo)" in str(assess(group).reason)


def test_phase_of_a_scan_of_another_place_is_not_its_phase(headers: list[ImageHeader]) -> None:
    magnitude = [h for h in headers if h.component is Component.MAGNITUDE]
    other = [h for h in headers if h.component is Component.PHASE]
    elsewhere = edited(other, rows=64, columns=48, pixel_spacing_mm=(4.0, 4.0), frame_of_reference_uid="1.2")
    assert answers(magnitude + elsewhere) == ["no-phase", "no-magnitude"]


def test_the_order_of_arrival_does_not_matter(headers: list[ImageHeader]) -> None:
    joined = edited(headers, Component.PHASE, protocol_sha256="other", acquired="20240104080012")

    def key(images: list[ImageHeader]) -> list[Acquisition]:
        return list(group_acquisitions(images))

    assert key(joined) == key(joined[::-1])
