"""What all tests share: few threads, and a PostgreSQL server that is started when the first test needs it."""

import os

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # each library that starts a thread for every core would only be in the way
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; the services under test inherit it


@pytest.fixture(scope="session")
def postgres():
    """The PostgreSQL server of the session."""
    from tests.support.postgres import running_server

    with running_server() as server:
        yield server
