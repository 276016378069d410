import json
import urllib.error
import urllib.request
from contextlib import closing

import pytest

from plugin.config.service_settings import Monitoring
from plugin.config.settings import Disk, Settings
from plugin.files import write_private_json
from plugin.intake.index import AcquisitionRow
from plugin.intake.spool import Spool
from plugin.jobs.queue import prepare_database
from plugin.network.rejections import REJECTIONS_FILE
from plugin.service.monitor import served
from plugin.service.process import ENGINES_FILE, PROCESSES_FILE
from plugin.service.selftest import RESULT_FILE
from tests.support.job_rows import add_job, set_status
from tests.support.loopback import free_port, pacs

JOB = "0123456789abcdef-01234567"


@pytest.fixture
def settings(tmp_path):
    """A service that has made one map, delivers it, and gave one delivery up; its processes are only reported."""
    settings = Settings(
        spool=tmp_path,
        port=free_port(),
        monitoring=Monitoring(port=free_port()),
        disk=Disk(reserve_gib=0, used_percent=100),
    )
    with closing(Spool(tmp_path).index) as index:
        rows = [
            AcquisitionRow(acquisition=state, study="s", state=state, images=3, changed_at=1.0)
            for state in ("collecting", "queued")
        ]
        index.save_acquisitions("s", rows)
    prepare_database(settings)
    add_job(settings, JOB, ("pacs", "console"))
    set_status(settings, "SUCCESS", JOB)
    set_status(settings, "ENQUEUED", f"{JOB}.pacs")
    set_status(settings, "CANCELLED", f"{JOB}.console")
    seconds = {"seconds": {"read": 2.0}}
    write_private_json(seconds, tmp_path / "jobs" / JOB / "report.json")
    write_private_json([["image", "conflict", 2]], tmp_path / REJECTIONS_FILE)
    write_private_json([{"name": "openvino", "state": "ready", "reason": ""}], tmp_path / ENGINES_FILE)
    return settings


def report(settings, *, running=True):
    import time

    one = {"role": "worker", "running": running, "pid": 1, "deaths": 2}
    write_private_json({"at": time.time(), "processes": [one]}, settings.spool / PROCESSES_FILE)


def get(settings, path):
    """Return status and body of a request."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.monitoring.port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_say_what_waits_what_failed_and_how_long_steps_take(settings):
    report(settings)
    with served(settings):
        status, text = get(settings, "/metrics")
        assert get(settings, "/other")[0] == 404
    assert status == 200
    for line in (
        "qsm_images_received 0.0",
        'qsm_acquisitions{state="collecting"} 1.0',
        'qsm_deliveries_waiting{destination="pacs"} 1.0',
        'qsm_dead_letters{destination="console"} 1.0',
        'qsm_failures{code="cancelled"} 1.0',
        'qsm_stage_seconds{quantile="0.95",stage="read"} 2.0',
        'qsm_rejections_total{kind="image",reason="conflict"} 2.0',
        'qsm_engine_ready{engine="openvino"} 1.0',
        'qsm_process_deaths_total{process="worker"} 2.0',
    ):
        assert line in text.splitlines()
    for name in ("qsm_disk_free_bytes", "qsm_acquisition_oldest_seconds", "qsm_delivery_oldest_seconds"):
        assert f"\n{name}" in text
    assert "PLANTED" not in text


def test_readiness_names_every_obstacle(settings):
    with served(settings):
        assert get(settings, "/healthz")[0] == 503
        report(settings, running=False)
        assert get(settings, "/healthz")[0] == 200
        failed = {"passed": False, "reason": "the map is wrong", "seconds": 1.0, "study": "s"}
        write_private_json(failed, settings.spool / RESULT_FILE)
        status, body = get(settings, "/readyz")
        assert status == 503
        reasons = " ".join(json.loads(body)["reasons"])
        for obstacle in ("worker is being restarted", "nobody listens", "the map is wrong"):
            assert obstacle in reasons
        report(settings)
        write_private_json({**failed, "passed": True}, settings.spool / RESULT_FILE)
        with pacs(settings.port):
            assert get(settings, "/readyz") == (200, '{"ok": true, "reasons": []}\n')


def test_a_port_that_is_taken_stops_nothing(settings):
    with served(settings), served(settings) as port:
        assert port is None
