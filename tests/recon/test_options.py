from recon.inversion.methods import find_method
from recon.options import METHODS, Options


def test_the_names_that_are_known_without_loading_are_those_that_there_are():
    assert all(callable(find_method(name)) for name in METHODS)


def test_what_is_chosen_by_default_is_there():
    chosen = Options()
    assert {chosen.method, chosen.fallback} <= set(METHODS)
    assert not chosen.surface_bleeds
