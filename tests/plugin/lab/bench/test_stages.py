"""The stages of the whole way, from the service's log, and their picture."""

import json

import pytest
from PIL import Image

from plugin.lab.bench.stages import Load, draw_stages, stages_of

REPORT = {"read": 0.3, "total field": 2.0, "inversion": 3.0, "quality": 0.5, "write": 0.75, "pictures": 0.25}


def event(second, name, **values):
    return json.dumps({"event": name, "timestamp": f"2026-03-01T10:00:{second:06.3f}Z", "process": "worker", **values})


LOG = "\n".join(
    [
        "not an event",
        event(1, "association.accepted", association="echo", process="receiver"),
        event(1.5, "association.ended", association="echo", process="receiver"),
        event(2, "association.accepted", association="images", process="receiver"),
        event(10, "association.ended", association="images", process="receiver"),
        event(10.5, "acquisition.queued", process="assembler"),
        event(11, "job.started"),
        event(11.5, "step.done", step="read", seconds=0.5),
        event(17.25, "step.done", step="reconstruct", seconds=5.75),
        event(18.25, "step.done", step="write", seconds=1.0),
        event(19, "step.done", step="deliver-to-pacs", seconds=0.5, process="deliverer"),
    ]
)


def test_stages_count_from_the_last_response_and_follow_each_other():
    zero, stages = stages_of(LOG, REPORT)
    assert [(s.process, s.name, s.begin_s, s.end_s) for s in stages] == [
        ("receiver", "receive", -8, 0),
        ("assembler", "assemble", 0, 0.5),
        ("worker", "queue", 0.5, 1),
        ("worker", "read", 1, 1.5),
        ("worker", "total field", 1.5, 3.75),
        ("worker", "inversion", 3.75, 6.75),
        ("worker", "quality", 6.75, 7.25),
        ("worker", "write", 7.25, 8),
        ("worker", "pictures", 8, 8.25),
        ("deliverer", "deliver", 8.5, 9),
    ]
    assert zero == 1772359210.0


def test_a_log_without_a_job_is_refused():
    with pytest.raises(ValueError, match=r"no event acquisition\.queued"):
        stages_of(event(1, "service.started"), REPORT)


def test_the_picture_shows_the_worker_at_work(tmp_path):
    zero, stages = stages_of(LOG, REPORT)
    idle = [Load(process="worker", at_s=zero + n / 5, cores=0.0) for n in range(45)]
    busy = [Load(process="worker", at_s=load.at_s, cores=1.5) for load in idle]
    pictures = []
    for name, loads in (("idle", idle), ("busy", busy)):
        draw_stages(stages, loads, zero, 2, tmp_path / f"{name}.png")
        pictures.append(Image.open(tmp_path / f"{name}.png").convert("RGB"))
    assert pictures[0].size == pictures[1].size == (1320, 720)
    filled = (pictures[1].getcolors(1 << 20), pictures[0].getcolors(1 << 20))
    of_first_colour = [{colour: count for count, colour in counts}[(31, 119, 180)] for counts in filled]
    assert of_first_colour[0] > of_first_colour[1] + 50_000
