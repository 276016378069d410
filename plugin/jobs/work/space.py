"""Free space for a job: checked before it begins, so that no step finds the disk full halfway."""

from __future__ import annotations

import shutil
import time

from plugin.config.settings import Settings
from plugin.jobs.job import Job
from plugin.log import get_logger

_ARRAYS_PER_IMAGE = 4
"""Arrays of 4 bytes a voxel that a job writes for each source image: its steps exchange them, and results follow."""

_POLL_SECONDS = 5.0


def needed_bytes(job: Job) -> int:
    """Work out what the steps of a job write at most."""
    return sum(4 * _ARRAYS_PER_IMAGE * header.rows * header.columns for header in job.headers)


def wait_for_space(settings: Settings, name: str, job: Job) -> None:
    """Wait until a job has room on the spool's disk; the jobs behind it have to wait for the same room."""
    needed = needed_bytes(job) + settings.work.reserve_gib * 2**30
    told = False
    while shutil.disk_usage(settings.spool).free < needed:
        if not told:
            reason = f"{needed / 2**30:.1f} GiB must be free on the spool's disk; the job begins when they are"
            get_logger().error("job.waits", job=name, reason=reason)
        told = True
        time.sleep(_POLL_SECONDS)
