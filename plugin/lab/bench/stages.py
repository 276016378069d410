"""What each process of the service does from the first image to the delivered map, second by second, and a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

_INSIDE: Final = {
    "reconstruct": ("total field", "inversion", "quality"),
    "write": ("write", "pictures"),
}
"""Steps of a workflow, and the stages of each that the job's report times, in order."""
_ROLES: Final = ("receiver", "assembler", "worker", "deliverer", "supervisor")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: who did it, and from when to when, in seconds after the last response to the scanner."""

    process: str
    name: str
    begin_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class Load:
    """Cores that a process used on average between a moment and the one before, in seconds since the epoch."""

    process: str
    at_s: float
    cores: float


def stages_of(log: str, report_seconds: Mapping[str, float]) -> tuple[float, list[Stage]]:
    """Return when the last response was given, in seconds since the epoch, and the stages of a service's only job.

    Parameters
    ----------
    log
        The service's log, an event in JSON on each line.
    report_seconds
        Seconds of each stage, as the job's report states them.

    Raises
    ------
    ValueError
        The log holds no job that was delivered.
    """
    events = [{**event, "at": _seconds(event["timestamp"])} for event in map(_event, log.splitlines()) if event]
    queued = _first(events, "acquisition.queued")
    started = _first(events, "job.started")["at"]
    ended = _first((e for e in reversed(events) if e["at"] <= started), "association.ended")
    begun = _first((e for e in events if e.get("association") == ended["association"]), "association.accepted")
    zero = ended["at"]
    stages = [
        Stage(process="receiver", name="receive", begin_s=begun["at"] - zero, end_s=0.0),
        Stage(process="assembler", name="assemble", begin_s=0.0, end_s=queued["at"] - zero),
        Stage(process="worker", name="queue", begin_s=queued["at"] - zero, end_s=started - zero),
    ]
    for event in events:
        if event["event"] == "step.done":
            end = event["at"] - zero
            stages += _split(event["process"], event["step"], end - event["seconds"], end, report_seconds)
    return zero, stages


def _event(line: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
    return event


def _seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def _first(events: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
    found = next((event for event in events if event["event"] == name), None)
    if found is None:
        raise ValueError(f"the service's log holds no event {name}")
    return found


def _split(process: str, step: str, begin_s: float, end_s: float, seconds: Mapping[str, float]) -> list[Stage]:
    """Return the stages within a step that are timed, one after the other, the last as the step ends."""
    names = [name for name in _INSIDE.get(step, ()) if name in seconds] or [step.partition("-")[0]]
    ends = [end_s]
    for name in reversed(names[1:]):
        ends.insert(0, ends[0] - seconds[name])
    begins = [begin_s, *ends[:-1]]
    return [
        Stage(process=process, name=name, begin_s=begin, end_s=end)
        for name, begin, end in zip(names, begins, ends, strict=True)
    ]


def draw_stages(stages: Sequence[Stage], loads: Sequence[Load], zero_s: float, cores: int, path: Path) -> None:
    """Save a PNG: above, what each process did and when; below, how many of the machine's cores each used.

    Parameters
    ----------
    stages, zero_s
        As :func:`stages_of` returns them.
    loads
        Of all processes, in the order of time.
    cores
        That the machine has.
    path
        File to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 6.0), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.6, 1.0))
    roles = [role for role in _ROLES if any(stage.process == role for stage in stages)]
    begin, end = min(s.begin_s for s in stages), max(s.end_s for s in stages)
    for number, stage in enumerate(stages):
        row, length = roles.index(stage.process), stage.end_s - stage.begin_s
        above.barh(row, length, left=stage.begin_s, height=0.95, color=f"C{number % 10}", edgecolor="white")
        wide = length > 0.08 * (end - begin)
        text = f"{stage.name}\n{length:.1f} s" if wide else f"{stage.name} {length:.1f}"
        place = {"rotation": 0 if wide else 90, "fontsize": 9 if wide else 7, "ha": "center", "va": "center"}
        above.text(stage.begin_s + length / 2, row, text, **place)
    above.set_yticks(range(len(roles)), roles)
    above.invert_yaxis()
    above.set_title("what each process does")
    _draw_loads(below, loads, zero_s, (begin, end))
    below.axhline(cores, color="black", linestyle=":", linewidth=1)
    below.set(xlim=(begin - 0.2, end + 0.2), ylim=(0, cores * 1.25))
    below.set(xlabel="seconds after the last response to the scanner", ylabel=f"cores used, of {cores}")
    figure.savefig(path, dpi=120)


def _draw_loads(axes: Any, loads: Sequence[Load], zero_s: float, span_s: tuple[float, float]) -> None:  # noqa: ANN401
    """Stack the processes' loads, the receiver's at the bottom."""
    times = sorted({load.at_s for load in loads if span_s[0] <= load.at_s - zero_s <= span_s[1] + 1.0})
    known = {(load.process, load.at_s): load.cores for load in loads}
    roles = [role for role in _ROLES if any((role, at) in known for at in times)]
    heights = [[known.get((role, at), 0.0) for at in times] for role in roles]
    if times:
        axes.stackplot([at - zero_s for at in times], heights, labels=roles, step="pre")
        axes.legend(loc="upper left", ncols=len(roles), fontsize=8, frameon=False)
