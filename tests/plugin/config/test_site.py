import pytest

from dicom_io.source.acquisition.completeness import assess
from dicom_io.source.folder import find_acquisitions
from dicom_io.source.main_field import b0_direction
from plugin.config.rules import Magnet, Rule
from plugin.config.self_test import SELF_TEST_AE, with_self_test
from plugin.config.settings import Settings
from plugin.config.site import patterns_of, select, with_field
from tests.support.synthetic import write_small_scan


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    write_small_scan(folder)
    return folder


def chosen(folder, *rules, calling_ae="MR1", otherwise="reconstruct"):
    settings = Settings(rules=rules, otherwise=otherwise)
    (acquisition,) = find_acquisitions(folder, patterns=patterns_of(rules)).acquisitions
    return select(acquisition, calling_ae, settings)


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({}, True),
        ({"protocol": "QSM*"}, True),
        ({"protocol": "loc*"}, False),
        ({"series": "*gre"}, True),
        ({"series": "swi"}, False),
        ({"sequence": "[*]fl3d*"}, True),
        ({"sequence": "*se*"}, False),
        ({"body_part": "brain"}, True),
        ({"body_part": "KNEE"}, False),
        ({"calling_ae": "MR?"}, True),
        ({"calling_ae": "CT*"}, False),
        ({"model": "prisma"}, True),
        ({"minimum_echoes": 2}, True),
        ({"minimum_echoes": 3}, False),
        ({"maximum_echoes": 1}, False),
    ],
)
def test_a_rule_fits_if_all_of_its_conditions_hold(folder, condition, fits):
    selection = chosen(folder, Rule(name="theirs", action="ignore", **condition))
    assert selection.action == ("ignore" if fits else "reconstruct")
    assert selection.rule == ("theirs" if fits else "")
    (said,) = selection.trace
    assert said == "theirs: fits: ignore" if fits else next(iter(condition)).split("_")[-1] in said


def test_the_first_rule_that_fits_decides_and_the_trace_ends_with_it(folder):
    rules = [
        Rule(name="knees", action="ignore", body_part="KNEE"),
        Rule(name="ours", action="reconstruct", protocol="qsm*"),
        Rule(name="rest", action="ignore"),
    ]
    selection = chosen(folder, *rules, otherwise="ignore")
    assert (selection.action, selection.rule) == ("reconstruct", "ours")
    assert selection.trace == ("knees: body_part does not fit", "ours: fits: reconstruct")


def test_of_the_self_test_s_own_rule_a_site_hears_nothing(folder):
    rules = with_self_test(Settings(rules=(Rule(name="theirs", action="ignore"),))).rules
    assert chosen(folder, *rules).trace == ("theirs: fits: ignore",)
    assert chosen(folder, *rules, calling_ae=SELF_TEST_AE).trace == ("self-test: fits: reconstruct",)


def test_what_no_rule_fits_is_treated_as_the_site_says(folder):
    knees = Rule(name="knees", action="reconstruct", body_part="KNEE")
    assert chosen(folder, knees).action == "reconstruct"
    left_out = chosen(folder, knees, otherwise="ignore")
    assert left_out.action == "ignore"
    assert "otherwise" in left_out.reason


def test_at_the_desk_there_is_no_sender_to_ask_for(folder):
    assert chosen(folder, Rule(name="mr1", action="ignore", calling_ae="MR1"), calling_ae="").action == "ignore"


@pytest.mark.parametrize(
    ("field", "direction"), [("vertical", (0, 1, 0)), ("horizontal", (0, 0, 1)), ((1.0, 0.0, 0.0), (1, 0, 0))]
)
def test_a_magnet_tells_how_the_field_lies(folder, field, direction):
    (acquisition,) = find_acquisitions(
        folder, prepare=lambda headers: with_field(headers, "", [Magnet(model="pris*", field=field)])
    ).acquisitions
    assert assess(acquisition).state == "complete"
    header = acquisition.headers[0]
    row, column = header.image_orientation[:3], header.image_orientation[3:]
    along = [sum(a * b for a, b in zip(axis, direction, strict=True)) for axis in (row, column)]
    assert b0_direction(header)[:2] == pytest.approx(along, abs=1e-9)
    others = with_field(acquisition.headers, "MR1", [Magnet(calling_ae="MR2", field="horizontal")])
    assert others == acquisition.headers


def test_a_field_that_is_no_direction_and_two_rules_of_one_name_are_mistakes():
    with pytest.raises(ValueError, match="length 1"):
        Settings(magnets=[Magnet(field=(1.0, 1.0, 0.0))])
    with pytest.raises(ValueError, match="used 2 times"):
        Settings(rules=[Rule(name="a", action="ignore")] * 2)
