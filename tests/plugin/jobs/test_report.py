import dataclasses

from plugin.config.settings import Destination, Objects, Settings
from plugin.jobs.delivery.deliveries import objects_to_make, part_for
from plugin.jobs.report import expected_error_of, files_for
from recon.types import ExpectedError
from tests.support.small_result import small_result


def series(*names):
    return [{"object": name, "files": [f"{name}/00001.dcm"]} for name in names]


def files(*names):
    return [f"{name}/00001.dcm" for name in names]


def destination(name, objects=None):
    return Destination(name=name, ae_title="PACS", host="127.0.0.1", port=104, objects=objects)


def test_a_destination_gets_all_or_what_it_is_to_get():
    made = series("qsm", "swi", "quality-page")
    assert files_for(made, None, "qsm") == files("qsm")
    assert files_for(made, None, "others") == files("swi", "quality-page")
    assert files_for(made, ("swi", "r2star"), "others") == files("swi")
    assert files_for(made, ("swi", "r2star"), "qsm") == []
    assert files_for(made, (), "others") == []


def test_of_one_map_in_two_forms_an_archive_gets_the_scanner_s_and_a_console_what_it_asks_for():
    made = series("qsm", "qsm-enhanced", "swi")
    assert files_for(made, None, "qsm") == files("qsm-enhanced")
    assert files_for(made, None, "others") == files("swi")
    assert files_for(made, ("qsm",), "qsm") == files("qsm")


def test_the_sender_gets_the_map_or_a_notice_that_no_map_was_made():
    settings = Settings(destinations=(destination("pacs"), destination("viewer", ("swi",))), objects=Objects(swi=True))
    made = series("qsm", "swi", "quality-page")
    assert part_for(settings, made, "sender", "qsm") == files("qsm")
    assert part_for(settings, made, "sender", "others") == []
    assert part_for(settings, series("refusal-page"), "sender", "refusal") == files("refusal-page")
    assert part_for(settings, made, "pacs", "others") == files("swi", "quality-page")
    assert part_for(settings, made, "viewer", "qsm") == []
    assert part_for(settings, series("refusal-page"), "viewer", "refusal") == []


def test_objects_without_a_destination_are_not_made():
    objects = Objects(swi=True, r2star=True)
    everything = tuple(name for name in objects.names if name != "refusal-page")
    assert objects_to_make(Settings(objects=objects), "MR1") == everything
    two = (destination("a", ("qsm",)), destination("b", ("swi",)))
    assert objects_to_make(Settings(objects=objects, destinations=two), "MR1") == ("qsm", "swi")
    assert objects_to_make(Settings(objects=objects, destinations=two), "QSM-SELFTEST") == ("qsm",)
    three = (*two, destination("c"))
    assert objects_to_make(Settings(objects=objects, destinations=three), "MR1") == everything


def test_the_expected_error_is_stated_to_a_tenth_of_a_ppb_or_not_at_all():
    _, result = small_result()
    assert expected_error_of(result) is None
    error = ExpectedError(brain_ppb=23.96, bound_ppb=35.04, nuclei_ppb={"putamen": 11.23})
    stated = expected_error_of(dataclasses.replace(result, expected_error=error))
    assert stated == {"brain_ppb": 24.0, "bound_ppb": 35.0, "nuclei_ppb": {"putamen": 11.2}}
