from contextlib import closing
from urllib.parse import parse_qs

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict

from plugin.config.database import with_connecting
from plugin.config.settings import Settings
from plugin.intake.index import Index

ENDS_CLAIMS = "SELECT name, setting FROM pg_settings WHERE name ~ '^tcp_' ORDER BY name"
EXPECTED = {
    "tcp_keepalives_count": "3",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_user_timeout": "10000",
}


def test_the_server_notices_a_host_that_vanished_and_ends_what_it_has_claimed(postgres, tmp_path):
    url = postgres.new_database()
    jobs = Settings(database_url=url, local_folder=tmp_path).job_database_url
    with psycopg.connect(jobs) as connection:
        assert dict(connection.execute(ENDS_CLAIMS).fetchall()) == EXPECTED
    engine = sa.create_engine(sa.make_url(jobs).set(drivername="postgresql+psycopg"))  # as the durable workflow does
    with engine.connect() as connected:
        assert dict(map(tuple, connected.exec_driver_sql(ENDS_CLAIMS))) == EXPECTED
    engine.dispose()
    with closing(Index(url)) as index:
        assert {row["name"]: row["setting"] for row in index._read(ENDS_CLAIMS)} == EXPECTED


def test_what_the_url_of_a_database_says_is_kept():
    url = with_connecting("postgresql://qsm:p%40ss@one,two/qsm?sslmode=verify-full&connect_timeout=5&options=-cx%3Dy")
    found = conninfo_to_dict(url)
    assert (found["password"], found["host"], found["dbname"]) == ("p@ss", "one,two", "qsm")
    assert (found["sslmode"], found["connect_timeout"], found["tcp_user_timeout"]) == ("verify-full", "5", "10000")
    assert str(found["options"]).endswith("=10000 -cx=y")


def test_repeated_and_blank_parameters_of_the_url_are_kept():
    url = with_connecting("postgresql://q@/qsm?host=a:5432&host=b:5432&sslcert=&connect_timeout=5&options=-cx%3Dy")
    assert sa.make_url(url).query["host"] == ("a:5432", "b:5432")
    found = parse_qs(url.partition("?")[2], keep_blank_values=True)
    assert (found["sslcert"], found["connect_timeout"], found["tcp_user_timeout"]) == ([""], ["5"], ["10000"])
    assert [text.endswith("=10000 -cx=y") for text in found["options"]] == [True]
