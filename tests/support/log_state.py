"""The log as it was before a test that configures it: for the whole process, and libraries and hooks with it."""

import logging
import sys
import threading
import warnings
from contextlib import contextmanager

import structlog


@contextmanager
def log_restored():
    """Take back at the end what ``plugin.log.configure`` has changed."""
    handlers, dbos = list(logging.getLogger().handlers), list(logging.getLogger("dbos").handlers)
    hooks = warnings.showwarning, sys.excepthook, threading.excepthook
    yield
    warnings.showwarning, sys.excepthook, threading.excepthook = hooks
    logging.getLogger("dbos").handlers[:] = dbos
    logging.getLogger("dbos").propagate = True
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.getLogger().handlers[:] = handlers
