"""Steps of a durable workflow: recorded, retried where that may help, and failed with a reason where it does not."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from dbos import DBOS
from dbos import error as dbos_error

from dicom_io.errors import DicomError, Refusal
from plugin.errors import JobFailedError, PluginError
from plugin.jobs.work.running import noted_step
from plugin.log import get_logger, unexpected
from recon.errors import InvalidInputError, ReconError

T = TypeVar("T")

DISK_FULL = "disk-full"
"""Code of a step that found no space; it is run again until there is some."""

_DISK_FULL_PAUSE_SECONDS = 10.0
_STEP_ATTEMPTS = 3
_HEALING = ("system-error", "step-failed")


def durably(job: str, step: str, function: Callable[[], Any]) -> Any:  # noqa: ANN401 - a JSON value
    """Run a step so that its result is recorded, and so that it is retried where that may help."""
    try:
        return DBOS.run_step(
            {
                "name": step,
                "retries_allowed": True,
                "max_attempts": _STEP_ATTEMPTS,
                "interval_seconds": 2.0,
                "should_retry": may_heal,
            },
            partial(_logged, job, step, function),
        )
    except dbos_error.DBOSMaxStepRetriesExceeded as exhausted:
        raise exhausted.errors[-1] from None


def _logged(job: str, step: str, function: Callable[[], Any]) -> Any:  # noqa: ANN401 - a JSON value
    """Run a step and log how long it took, or why it failed."""
    log, began = get_logger().bind(job=job, step=step), time.monotonic()
    log.debug("step.started")
    try:
        result = _when_there_is_space(step, function)
    except JobFailedError as failure:
        log.warning("step.failed", code=failure.code, reason=failure.sentence)
        raise
    log.info("step.done", seconds=round(time.monotonic() - began, 2))
    return result


def _when_there_is_space(step: str, function: Callable[[], T]) -> T:
    """Run a step, again and again while the disk is full: that ends by itself, or somebody ends it."""
    while True:
        try:
            with noted_step(step):
                return explained(step, function)
        except JobFailedError as failure:
            if failure.code != DISK_FULL:
                raise
            get_logger().error("step.waits", step=step, code=failure.code, reason=failure.sentence)
            time.sleep(_DISK_FULL_PAUSE_SECONDS)


def explained(step: str, function: Callable[[], T]) -> T:
    """Run a step; whatever goes wrong becomes a code and a sentence that can be recorded and shown."""
    try:
        return function()
    except Exception as error:
        raise failure_of(error, step) from None


def failure_of(error: Exception, step: str) -> JobFailedError:
    """Say in a code and a sentence what went wrong in a step; free of patient data."""
    match error:
        case JobFailedError():
            return error
        case Refusal():
            return JobFailedError(error.code, error.message)
        case InvalidInputError():
            return JobFailedError("invalid-input", str(error))
        case DicomError() | ReconError() | PluginError():
            return JobFailedError("step-failed", str(error))
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return JobFailedError(DISK_FULL, f"step {step}: {error.strerror}; free space on the spool's disk")
        case OSError() | MemoryError():
            reason = error.strerror if isinstance(error, OSError) else "out of memory"
            return JobFailedError("system-error", f"step {step}: {reason}")
        case _:
            return JobFailedError("step-failed", f"step {step}: {unexpected(error)}")


def may_heal(error: BaseException) -> bool:
    """Whether a retry may help."""
    return isinstance(error, JobFailedError) and error.code in _HEALING
