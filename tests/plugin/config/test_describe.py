"""The page of all settings says what the model says, and its examples are valid."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from plugin.config.describe import page
from plugin.config.rules import Frozen
from plugin.config.settings import Settings

PAGE = Path(__file__).parents[3] / "deploy" / "CONFIGURATION.md"
MODELS = [model for model in Frozen.__subclasses__() if model.__module__.startswith("plugin.config")]


def test_the_page_is_what_the_model_makes():
    assert PAGE.read_text(encoding="utf-8") == page(), "make it again: python -m plugin.config.describe"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_setting_is_described_and_its_example_is_valid(model):
    fields = {name: field for name, field in model.model_fields.items() if not nested(field.default)}
    assert [name for name, field in fields.items() if not field.description] == []
    examples = {name: field.examples[0] for name, field in fields.items() if field.examples}
    required = {name for name, field in fields.items() if field.is_required()}
    assert required <= examples.keys()
    callers = {"allowed_callers": [{"ae_title": "MR1"}]} if model is Settings else {}
    assert model.model_validate({**examples, **callers})


def nested(default):
    return isinstance(default, BaseModel)
