"""What is shown of a series that came, however little of it there is."""

from dataclasses import replace

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from dicom_io.errors import Refusal
from dicom_io.source.acquisition.first_echo import first_echo, stored_image
from dicom_io.source.header import read_headers
from dicom_io.synthetic import write_scan
from tests.support.phantom import make_echoes

SLICES = 3


@pytest.fixture(scope="module", params=["siemens", "siemens-xa-enhanced"])
def headers(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    echoes = make_echoes(echo_times_s=(0.005, 0.01), b0_tesla=3.0, shape=(4, 5, SLICES))
    write_scan(echoes, folder, vendor=request.param, study_seed=1)
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [replace(one, path=one.path.relative_to(folder)) for path in paths for one in read_headers(path)], folder


def test_the_first_echo_of_each_component_goes_along_the_normal(headers):
    images, folder = headers
    found = first_echo(reversed(images))
    assert list(found) == ["magnitude", "phase"]
    for part in found.values():
        assert len(part) == SLICES
        assert {one.echo_time_s for one in part} == {0.005}
        heights = [one.image_position_mm[2] for one in part]
        assert heights == sorted(heights)
    assert stored_image(found["phase"][1], root=folder).shape == (5, 4)


def test_images_without_place_echo_or_component_are_shown_all_the_same(headers):
    images, _ = headers
    odd = replace(images[0], component=None, echo_time_s=None, image_position_mm=None)
    found = first_echo([odd, replace(odd, instance_number=None)])
    assert {name: len(part) for name, part in found.items()} == {"other": 2}
    assert first_echo([]) == {}


def test_the_values_are_those_of_the_file(headers):
    images, folder = headers
    (first, *_) = images
    whole = dcmread(folder / first.path).pixel_array.reshape(-1, first.rows, first.columns)
    for compressed in (first, replace(first, native=None)):
        assert np.array_equal(stored_image(compressed, root=folder), whole[first.frame])


@pytest.mark.parametrize(
    "changes",
    [{"rows": 65_535, "columns": 65_535}, {"transfer_syntax_uid": DeflatedExplicitVRLittleEndian}, {"path": "gone"}],
)
def test_what_is_gone_or_would_take_too_much_memory_is_refused(headers, changes):
    images, folder = headers
    with pytest.raises(Refusal, match="cannot be decoded"):
        stored_image(replace(images[0], **changes), root=folder)
