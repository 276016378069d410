"""The worker of a service, in the process of the test."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from dbos import DBOS

from plugin.config.settings import Settings
from plugin.intake.spool import Spool
from plugin.jobs.durable import start_worker
from plugin.jobs.queue import prepare_database
from recon.options import Options


@contextmanager
def running_worker(settings: Settings) -> Iterator[None]:
    """Run jobs of a new spool with a fast method."""
    Spool(settings.spool).index.close()
    prepare_database(settings)
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    start_worker(settings, Options(method="tikhonov", fallback=""))
    try:
        yield
    finally:
        DBOS.destroy(workflow_completion_timeout_sec=20)  # what is cut off waits for its outcome forever
