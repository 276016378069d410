from recon.inversion.methods import METHODS
from recon.options import METHOD_NAMES, Options


def test_the_names_that_are_known_without_loading_are_those_that_there_are():
    assert tuple(METHODS) == METHOD_NAMES


def test_what_is_chosen_by_default_is_there():
    chosen = Options()
    assert {chosen.method, chosen.fallback} <= set(METHOD_NAMES)
