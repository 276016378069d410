import pytest

from dicom_io.derived.products import OBJECTS, PRODUCTS
from plugin.config.reconstruction import objects_of, profile_of
from plugin.config.switches import Objects
from plugin.errors import ConfigurationError


def test_every_product_but_the_map_has_a_switch():
    assert list(Objects().root) == [name for name in PRODUCTS if name != "qsm"]
    assert Objects().names == ("qsm", "qsm-enhanced", "quality-page", "refusal-page")
    assert Objects({"true-swi": True, "quality-page": False}).names == (
        "qsm",
        "qsm-enhanced",
        "true-swi",
        "refusal-page",
    )


def test_switches_come_back_from_json():
    objects = Objects({"brain-mask": True, "qsm-enhanced": False})
    assert Objects.model_validate_json(objects.model_dump_json()) == objects


@pytest.mark.parametrize(("name", "said"), [("swy", "no object 'swy'; expected some of qsm"), ("qsm", "always made")])
def test_a_switch_of_no_product_is_refused(name, said):
    with pytest.raises(ValueError, match=said):
        Objects({name: True})


def test_the_desk_names_objects_as_a_site_does():
    assert objects_of("all") == OBJECTS
    assert objects_of("r2star, swi") == ("qsm", "swi", "r2star")
    assert objects_of("") == ("qsm",)
    with pytest.raises(ConfigurationError, match=r"'swy'.*swi"):
        objects_of("swi,swy")
    assert profile_of("pacs16") == "pacs16"
    with pytest.raises(ConfigurationError, match="console12"):
        profile_of("12")
