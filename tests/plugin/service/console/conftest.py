"""One filled spool for all tests of the console, and a browser for each role."""

import pytest

from tests.support.console_client import signed_in
from tests.support.console_site import make_site


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A spool with a series in each state."""
    return make_site(tmp_path_factory.mktemp("console") / "spool", patient_names=("operator",))


@pytest.fixture(scope="session")
def browsers(site):
    return {role: signed_in(site, role) for role in ("viewer", "operator", "administrator")}


@pytest.fixture
def viewer(browsers):
    return browsers["viewer"]


@pytest.fixture
def operator(browsers):
    return browsers["operator"]


@pytest.fixture
def administrator(browsers):
    return browsers["administrator"]
