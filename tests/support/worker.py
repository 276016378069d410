"""The worker and the deliverer of a service, in the process of the test."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from dbos import DBOS

from plugin.config.settings import Settings
from plugin.intake.spool import Spool
from plugin.jobs.delivery.answers import Answers
from plugin.jobs.delivery.contacts import Contacts, Probes
from plugin.jobs.durable import delivering, launch, reconstructing
from plugin.jobs.queue import prepare_database
from recon.options import Options


@contextmanager
def running_worker(settings: Settings) -> Iterator[None]:
    """Run jobs of a new spool with a fast method, and deliver them."""
    Spool(settings.spool).index.close()
    prepare_database(settings)
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    contacts = Contacts(settings.retry.probe_seconds)
    options = Options(method="tikhonov", fallback="")
    launch(settings, settings.worker_name, reconstructing(settings, options), delivering(settings, contacts))
    threads = (Probes(settings, contacts), Answers(settings))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.stop()
        DBOS.destroy(workflow_completion_timeout_sec=20)  # what is cut off waits for its outcome forever
        for thread in threads:
            thread.join()
