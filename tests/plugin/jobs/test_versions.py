import sqlite3
from contextlib import closing

import pytest

from plugin.config.settings import Settings
from plugin.errors import SpoolError
from plugin.jobs.queue import client, known_jobs, prepare_database, submit
from plugin.jobs.versions import check_job_database


@pytest.fixture
def settings(tmp_path):
    settings = Settings(spool=tmp_path)
    prepare_database(settings)
    return settings


def change_version(settings, by):
    with closing(sqlite3.connect(settings.spool / "jobs.sqlite")) as database:
        database.execute("UPDATE dbos_migrations SET version = version + ?", [by])
        database.commit()


def test_an_older_database_is_used_after_migration_only_and_a_newer_one_never(settings):
    check_job_database(settings)
    change_version(settings, -1)
    with pytest.raises(SpoolError, match="run qsm-plugin migrate"):
        prepare_database(settings)
    check_job_database(settings, migrating=True)
    change_version(settings, 2)
    for migrating in (False, True):
        with pytest.raises(SpoolError, match="run the newer program"):
            prepare_database(settings, migrating=migrating)


def test_a_damaged_database_is_kept_beside_and_made_again(settings):
    with client(settings) as connected:
        submit(connected, "a-job")
        assert known_jobs(connected) == {"a-job"}
    (settings.spool / "jobs.sqlite").write_bytes(b"x" * 5000)
    prepare_database(settings)
    with client(settings) as connected:
        assert known_jobs(connected) == set()
    assert [path.read_bytes() for path in settings.spool.glob("damaged-*-jobs.sqlite")] == [b"x" * 5000]
