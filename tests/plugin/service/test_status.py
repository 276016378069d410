import sqlite3
import time
from contextlib import closing

import pytest

from plugin.config.settings import Settings
from plugin.intake.spool import Spool
from plugin.jobs.queue import prepare_database
from plugin.service.status import LATEST, status
from tests.support.job_rows import add_job, multiply, set_status

JOB = "0123456789abcdef-01234567"
MANY = 10_000


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    settings = Settings(spool=tmp_path_factory.mktemp("spool"))
    Spool(settings.spool).index.close()
    prepare_database(settings)
    add_job(settings, JOB, ("pacs", "console"))
    set_status(settings, "SUCCESS")
    multiply(settings, JOB, MANY)
    with closing(sqlite3.connect(settings.spool / "index.sqlite")) as index, index:
        index.execute(
            "WITH RECURSIVE n(v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < ?) INSERT INTO acquisition"
            " SELECT printf('%032d', v), printf('s%031d', v), 'queued', 5, '', '', '[]', 'j', v, '[]', '', '[]' FROM n",
            [MANY],
        )
        index.execute(
            "INSERT INTO image (image, series, study, digest, association, received_at, header)"
            " SELECT acquisition || '-' || value, 'r', study, 'd', 'a', 0, hex(zeroblob(500))"
            " FROM acquisition, json_each('[1,2,3,4,5]')"
        )
    return settings


def test_status_is_fast_with_ten_thousand_jobs(settings):
    began = time.process_time()
    found = status(settings)
    assert time.process_time() - began < 1
    assert found["images"] == {"received": 5 * MANY, "ignored": 0, "unread": 0, "conflicts": 0}
    assert len(found["jobs"]) == len(found["acquisitions"]) == LATEST
    assert found["jobs"][0]["job"] == JOB
    assert all([one["destination"] for one in job["deliveries"]] == ["console", "pacs"] for job in found["jobs"])


def test_an_old_job_that_is_not_done_is_shown_too(settings):
    old = f"{MANY - 1:08d}{JOB[8:]}"
    set_status(settings, "DELAYED", f"{old}.pacs")
    found = status(settings)["jobs"]
    assert len(found) == LATEST + 1
    assert found[-1]["job"] == old
    assert [(one["destination"], one["state"]) for one in found[-1]["deliveries"]] == [("pacs", "pending")]
