"""What the durable workflow's database holds: JSON. Reading it runs no code, which unpickling would."""

from __future__ import annotations

import json
from typing import Any

from dbos import Serializer
from dbos import error as dbos_error

from plugin.errors import JobFailedError

_FAILURE = "job-failed"


class JsonSerializer(Serializer):
    """JSON values, and failures as code and sentence."""

    def name(self) -> str:
        """Name the format in the database."""
        return "qsm_plugin_json"

    def serialize(self, data: Any) -> str:  # noqa: ANN401 - any JSON value
        """Turn a value into JSON."""
        return json.dumps(data, default=_failure, separators=(",", ":"))

    def deserialize(self, serialized_data: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the value."""
        return json.loads(serialized_data, object_hook=_restored)


def _failure(value: object) -> dict[str, list[str]]:
    """Turn an error into JSON; of one that is not ours only the type, since its text may quote data."""
    match value:
        case JobFailedError():
            return {_FAILURE: [value.code, value.sentence]}
        case dbos_error.DBOSMaxStepRetriesExceeded() if value.errors:
            return _failure(value.errors[-1])
        case Exception():
            return {_FAILURE: ["step-failed", f"unexpected {type(value).__name__}; please report it"]}
        case _:
            raise TypeError(f"{type(value).__name__} is not a JSON value")


def _restored(values: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    return JobFailedError(*values[_FAILURE]) if values.keys() == {_FAILURE} else values
