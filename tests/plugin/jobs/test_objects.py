import pytest

from plugin.config.reconstruction import objects_of, profile_of
from plugin.config.settings import Destination, Objects, Settings
from plugin.errors import ConfigurationError
from plugin.jobs.deliveries import objects_to_make, part_for
from plugin.jobs.objects import FIRST_PART, OBJECTS, OTHER_PART, REFUSAL_PAGE, REFUSAL_PART, part_of, series_for


def series(*names):
    return [{"object": name, "files": [f"{name}/00001.dcm"]} for name in names]


def destination(name, objects=None):
    return Destination(name=name, ae_title="PACS", host="127.0.0.1", port=104, objects=objects)


def test_the_map_goes_first_and_alone():
    assert [name for name in (*OBJECTS, REFUSAL_PAGE) if part_of(name) == FIRST_PART] == ["qsm", "qsm-enhanced"]
    assert part_of(REFUSAL_PAGE) == REFUSAL_PART
    assert {part_of(name) for name in OBJECTS if not name.startswith("qsm")} == {OTHER_PART}


def test_a_destination_gets_all_or_what_it_is_to_get():
    made = series("qsm", "swi", "quality-page")
    assert series_for(made, None) == made
    assert series_for(made, ("swi", "r2star")) == series("swi")
    assert series_for(made, ()) == []


def test_of_one_map_in_two_forms_an_archive_gets_the_scanner_s_and_a_console_what_it_asks_for():
    made = series("qsm", "qsm-enhanced", "swi")
    assert series_for(made, None) == series("qsm-enhanced", "swi")
    assert series_for(made, ("qsm",)) == series("qsm")


def test_the_sender_gets_the_map_or_the_words_that_there_is_none():
    settings = Settings(destinations=(destination("pacs"), destination("viewer", ("swi",))), objects=Objects(swi=True))
    made = series("qsm", "swi", "quality-page")
    assert part_for(settings, made, "sender", FIRST_PART) == ["qsm/00001.dcm"]
    assert part_for(settings, made, "sender", OTHER_PART) == []
    assert part_for(settings, series(REFUSAL_PAGE), "sender", REFUSAL_PART) == ["refusal-page/00001.dcm"]
    assert part_for(settings, made, "pacs", OTHER_PART) == ["swi/00001.dcm", "quality-page/00001.dcm"]
    assert part_for(settings, made, "viewer", FIRST_PART) == []
    assert part_for(settings, series(REFUSAL_PAGE), "viewer", REFUSAL_PART) == []


def test_what_nobody_gets_is_not_made():
    objects = Objects(swi=True, r2star=True)
    everything = tuple(name for name in objects.names if name != REFUSAL_PAGE)
    assert objects_to_make(Settings(objects=objects)) == everything
    two = (destination("a", ("qsm",)), destination("b", ("swi",)))
    assert objects_to_make(Settings(objects=objects, destinations=two)) == ("qsm", "swi")
    three = (*two, destination("c"))
    assert objects_to_make(Settings(objects=objects, destinations=three)) == everything


def test_the_desk_names_objects_as_a_site_does():
    assert objects_of("all") == tuple(OBJECTS)
    assert objects_of("r2star, swi") == ("qsm", "swi", "r2star")
    assert objects_of("") == ("qsm",)
    with pytest.raises(ConfigurationError, match=r"'swy'.*swi"):
        objects_of("swi,swy")
    assert profile_of("pacs16") == "pacs16"
    with pytest.raises(ConfigurationError, match="console12"):
        profile_of("12")


def test_every_object_has_a_switch_and_a_maker():
    from plugin.jobs.derive import MAKERS

    switches = {name.replace("_", "-") for name in Objects.model_fields}
    assert switches == (set(OBJECTS) | {REFUSAL_PAGE}) - {"qsm"}
    assert set(OBJECTS) | {"nifti"} == set(MAKERS)
