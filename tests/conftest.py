"""Several test processes share the cores: each library that starts a thread for every core would only be in the way."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; the services under test inherit it
