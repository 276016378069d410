"""``qsm-plugin serve``: receive, reconstruct and deliver until stopped."""

from __future__ import annotations

import typer

from plugin.cli.console import ConfigOption, load_settings


def serve(config: ConfigOption = None) -> None:
    """Receive series by DICOM, reconstruct them, and deliver the QSM series.

    The configuration is read again on SIGHUP.
    """
    from plugin.log import configure, get_logger
    from plugin.service.supervisor import serve as run_service

    settings = load_settings(config)
    configure(settings.log, process="supervisor", recent_in=settings.host_folder)
    if not settings.destinations and not settings.return_to_sender:
        reason = "no destinations and no return_to_sender: QSM series will stay in the spool"
        get_logger().warning("service.delivers_nothing", reason=reason)
    raise typer.Exit(run_service(settings, config))
