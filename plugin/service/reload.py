"""The configuration read again while the service runs: the new one as a whole, or the old one still."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from plugin.audit import configuration_changed, record
from plugin.config.settings import Settings, read_settings
from plugin.errors import ConfigurationError, PortTakenError
from plugin.log import get_logger
from plugin.network.tls import calling_context, serving_context

_FIXED: Final = ("spool", "local_folder", "database_url", "host_name", "worker_name")
"""What the service holds locks and databases by: it takes effect at the next start."""

_DESTINATIONS: Final = {"ae_title", "destinations", "return_to_sender", "allowed_callers", "tls", "log"}
_USED: Final[dict[str, set[str]]] = {
    "receiver": _DESTINATIONS
    | {"bind", "port", "require_called_aet", "maximum_associations", "network_silence_seconds", "disk", "retry"}
    | {"connections_per_address", "largest_object_gib", "user_identity", "storage_commitment_scp", "audit"},
    "assembler": {"rules", "otherwise", "magnets", "quiet_seconds", "largest_gib", "objects", "work", "log"}
    | {"assembler_memory_gib"},
    "worker": _DESTINATIONS
    | {"objects", "sender_objects", "profile", "window_presets", "withhold_failed_maps", "work", "reconstruction"},
    "deliverer": _DESTINATIONS | {"retry", "commitment", "work", "audit", "sender_objects"},
}
"""Settings that a process works with; those of the monitor and of the console are all."""


def reloaded(settings: Settings, config: Path | None, check_port: Callable[[Settings], None]) -> Settings:
    """Return the configuration that is valid from now on; each mistake of a rejected one is named in the log."""
    try:
        if config is None:
            raise ConfigurationError("the service was started without a configuration file")
        new = read_settings(config)
        _check(settings, new, check_port)
    except (ConfigurationError, PortTakenError) as error:
        mistakes = str(error).splitlines()
        for mistake in mistakes:
            get_logger().error("configuration.rejected", reason=mistake)
        record(settings, configuration_changed(settings, mistakes))
        return settings
    changed = [name for name in Settings.model_fields if getattr(new, name) != getattr(settings, name)]
    get_logger().info("configuration.reloaded", reason=f"changed: {', '.join(changed) or 'nothing'}")
    record(new, configuration_changed(new, []))
    return new


def uses_change(role: str, old: Settings, new: Settings) -> bool:
    """Say whether a process works with settings that have changed, and has to be restarted."""
    names = _USED.get(role, Settings.model_fields.keys())
    return any(getattr(old, name) != getattr(new, name) for name in names)


def _check(old: Settings, new: Settings, check_port: Callable[[Settings], None]) -> None:
    mistakes = [
        f"{name}: cannot change while the service runs; restart it"
        for name in _FIXED
        if getattr(old, name) != getattr(new, name)
    ]
    if new.tls is not None:
        try:
            calling_context(new.tls, "localhost")
        except ConfigurationError as error:
            mistakes.append(str(error))
    if new.console.certificate is not None and new.console.key is not None:
        try:
            serving_context(new.console.certificate, new.console.key)
        except ConfigurationError as error:
            mistakes.append(str(error))
    if (old.bind, old.port) != (new.bind, new.port):
        try:
            check_port(new)
        except PortTakenError as error:
            mistakes.append(str(error))
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
