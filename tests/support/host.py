"""A worker of one of several hosts, in a process of its own: its steps do nothing, and wait until a test lets them."""

import logging
import sys
import time

from plugin.config.settings import Settings
from plugin.intake.database import heartbeats
from plugin.jobs import durable, workflow
from plugin.log import configure
from plugin.service import leases
from recon.options import Options

BEAT_SECONDS, DEAD_SECONDS = 0.3, 2.0


def main() -> None:
    settings, waits_in = Settings.model_validate_json(sys.argv[1]), sys.argv[2]

    def wait(step):
        if step == waits_in:
            (settings.spool / f"waits-{settings.host}").touch()
            while not (settings.spool / f"go-{settings.host}").exists():
                time.sleep(0.05)

    def read(job, place, _progress):
        with (settings.spool / "read").open("a") as file:
            file.write(f"{settings.host}\n")
        return 0.0

    def write(job, place, _wanted, _seconds, _progress):
        path = place.results / "qsm" / "00001.dcm"
        path.parent.mkdir(parents=True)
        path.write_text(settings.host)
        wait("write")
        name = str(path.relative_to(place.folder))
        verdict = {"level": "ok", "reasons": []}
        return workflow._save({"files": [name], "series": [], "not_made": {}, "verdict": verdict}, place)

    leases.BEAT_SECONDS, heartbeats.DEAD_SECONDS = BEAT_SECONDS, DEAD_SECONDS
    workflow.read, workflow.write = read, write
    workflow.reconstruct = lambda *_: wait("reconstruct")
    configure(settings.log, process="worker")
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    lease = leases.hold_lease(settings, settings.executor, "worker")
    durable.launch(
        settings, settings.executor, durable.reconstructing(settings, Options(method="tikhonov", fallback=""), lease)
    )
    (settings.spool / f"ready-{settings.host}").touch()
    time.sleep(600)


if __name__ == "__main__":
    main()
