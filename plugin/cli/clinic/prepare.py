"""``qsm-plugin prepare``: pay at installation for what the first start would have to compile."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

from plugin.cli.console import ConfigOption, JsonOption, load_settings, progress_shown, show, tell

EXAMPLES = ("qsm-plugin prepare", "qsm-plugin prepare --config /etc/qsm-plugin/site.toml")


def prepare(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Compile the kernels and convert or build the engines for this machine, once, as the user of the service.

    What is there already is only checked. Run it after each upgrade; two at once wait for each other.
    """
    from recon.engines.folders import cache_folder, locked
    from recon.options import Options
    from recon.pipeline import WARM_UP_SECONDS, warm_up

    options = Options(**dict(load_settings(config).reconstruction))
    folder, began = cache_folder("engines"), time.monotonic()
    with (
        locked(folder, "prepare") if folder else nullcontext(),
        progress_shown("prepare", WARM_UP_SECONDS.items(), as_json=as_json) as say,
    ):
        attempts = warm_up(options, say)
    found = {
        "seconds": round(time.monotonic() - began, 1),
        "folder": str(folder.parent) if folder else None,
        "engines": [asdict(one) for one in attempts],
    }
    show(found, as_json, _tell)


def _tell(found: dict[str, Any]) -> None:
    ready = next((one for one in found["engines"] if one["state"] == "ready"), None)
    tell(f"ready in {found['seconds']:.0f} s" + (f": engine {ready['name']}, {ready['reason']}" if ready else ""))
    if found["folder"]:
        tell(f"kept in {found['folder']}")
    else:
        tell("nothing is kept: this user has no folder for it; name one in CACHE_DIRECTORY")
