import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy.exc import SQLAlchemyError

from plugin.config.settings import Settings
from plugin.errors import SpoolError
from plugin.intake.database import heartbeats
from plugin.intake.database.connection import prepared
from plugin.intake.database.notices import CommitmentRow
from plugin.intake.database.overview import Wanted
from plugin.intake.database.protocols import ProtocolRow
from plugin.intake.database.schema import VERSION
from plugin.intake.database.submitted import JobRow
from plugin.intake.index import AcquisitionRow, ImageRow, Index, index_url, migrate_index
from tests.support.loopback import wait_for

ACQUISITION = {
    "acquisition": "a" * 64,
    "study": "s",
    "state": "refused",
    "images": 3,
    "code": "epi",
    "reason": "echo planar",
    "missing": ("m",),
    "job": "j",
    "changed_at": 1.0,
    "series": ("x", "y"),
    "evidence": "full grid",
    "rules": ("r: fits: ignore",),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """An empty database of each kind: the laws are the same."""
    if request.param == "sqlite":
        return index_url(tmp_path)
    return request.getfixturevalue("postgres").new_database()


def image(name, **changes):
    values = {"image": name, "series": f"series-{name}", "study": "s", "digest": "d", "association": "a"}
    return ImageRow(**{**values, "received_at": 1.0, **changes})


def set_version(url, version):
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
            other.execute(f"PRAGMA user_version = {version}")
    else:
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(f"UPDATE qsm_index.version SET version = {version}")


def run(url, *statements):
    with closing(Index(url)) as index, index._transaction() as connection:
        for statement in statements:
            connection.execute(prepared(statement))


def test_an_index_of_another_version_is_refused(url):
    Index(url).close()
    Index(url).close()
    set_version(url, VERSION + 1)
    for migrate in (False, True):
        with pytest.raises(SpoolError, match=f"an index of version {VERSION + 1}"):
            Index(url, migrate=migrate)


def test_an_older_index_is_migrated_by_an_explicit_command_only(url, tmp_path):
    run(url, "ALTER TABLE association DROP COLUMN owner", "DROP TABLE heartbeat", "DROP TABLE protocol")
    set_version(url, 2)
    with pytest.raises(SpoolError, match="run qsm-plugin migrate"):
        Index(url)
    shared = {} if url.startswith("sqlite") else {"database_url": url, "local_folder": tmp_path}
    migrate_index(Settings(spool=tmp_path, **shared))
    with closing(Index(url)) as index:
        index.open_association("a", "MR1", "10.0.0.5", 1.0)
        index.register("w", "worker", "h")
        assert index.protocols(["a"]) == {}


def test_what_a_decision_followed_from_is_kept(url):
    row = AcquisitionRow(**ACQUISITION)
    job = JobRow(job="j", study="s", images=frozenset({("1.2", 0), ("1.2", 1)}), numbers=frozenset({501, 502}))
    with closing(Index(url)) as index:
        index.save_acquisitions("s", [row])
        index.add_job(job)
    with closing(Index(url)) as index:
        assert index.acquisitions("s") == index.acquisitions() == [row]
        assert index.jobs("s") == [job]
        assert (index.job_names(), index.submitted()) == ({"j"}, ["j"])
        index.save_acquisitions("s", [])
        assert index.acquisitions() == []


def test_how_a_protocol_was_judged_is_kept_as_long_as_its_study(url):
    judged = (("readout", "costs accuracy", "bipolar"),)
    rows = {
        name: ProtocolRow(acquisition=name, study="s", vendor="ge", judged=one)
        for name, one in (("a", judged), ("b", ()), ("c", judged))
    }
    acquisitions = [
        AcquisitionRow(**{**ACQUISITION, "acquisition": name, "changed_at": at}) for at, name in enumerate("abc")
    ]
    with closing(Index(url)) as index:
        index.save_acquisitions("s", acquisitions)
        for row in (replace(rows["a"], judged=()), *rows.values()):
            index.save_protocol(row)
        assert index.protocols(["a", "b", "x"]) == {"a": rows["a"], "b": rows["b"]}
        assert (index.latest_protocols(9), index.latest_protocols(1)) == (["c", "a"], ["c"])
        index.forget("s", [])
        assert index.protocols(["a"]) == {}


def test_acquisitions_are_found_by_everything_that_names_them(url):
    row = AcquisitionRow(**ACQUISITION)
    other = replace(row, acquisition="b" * 64, series=("z",))
    ungrouped = replace(row, acquisition="t", study="t", series=())
    with closing(Index(url)) as index:
        for name, study in (("x", "s"), ("z", "s"), ("w", "t")):
            index.add_image(image(f"image-{name}", series=name, study=study))
        index.save_acquisitions("s", [row, other])
        index.save_acquisitions("t", [ungrouped])
        for name, found in {"x": [row], "image-z": [other], "s": [row, other], "w": [ungrouped], "y": []}.items():
            assert index.acquisitions_called(name) == found
        assert index.acquisitions_called("aaaaaaaa") == [row]
        assert index.acquisitions_called("aaaaaaa") == []
        (images,) = index.images_called("x")
        assert (images["images"], images["state"], images["association"]) == (1, "not read yet", "open")


def test_images_go_from_received_to_read_skipped_or_doubted(url):
    with closing(Index(url)) as index:
        index.open_association("a", "MR1", "10.0.0.5", 1.0)
        index.add_images([image(name, received_at=float(n)) for n, name in enumerate("xyz")])
        assert [row.image for row in index.unread_images(2)] == ["x", "y"]
        assert index.begin_reading(["x", "y"]) == {}
        assert index.begin_reading(["x", "z"]) == {"x": 1}
        assert index.count_attempt("x") == 2
        index.save_headers([("[]", "x")], [("epi", "echo planar", "y")])
        assert index.has_unread("s")
        assert index.counts() == {"received": 3, "ignored": 1, "unread": 1, "conflicts": 0}
        assert index.ignored() == [{"code": "epi", "reason": "echo planar", "images": 1}]
        assert [row.image for row in index.images_of_study("s")] == ["x"]
        assert index.unsettled_studies(0.0) == {"s"}
        assert (index.last_received_at("s"), index.digest_of("z"), index.digest_of("w")) == (2.0, "d", None)
        assert len(index.one_of_each_series("s")) == len(index.paths()) == 3
        index.add_conflict("x", "e", "conflicts/x", 4.0)
        index.add_conflict("x", "e", "conflicts/x", 5.0)
        assert index.conflicts() == {"conflicts/x"}
        assert index.stored("x") is None
        assert index.stored("z") == image("z").path
        index.end_association("a", "lost", 6.0)
        index.confirm_image("x", "b", 7.0)
        assert {row.association for row in index.unread_images()} == {"a", "b"}


def test_announcements_steps_and_commitments_are_kept(url):
    with closing(Index(url)) as index:
        assert index.announced(["sx"], ["x"]).images == frozenset()
        index.add_image(image("x", series="sx"))
        for _ in range(2):
            index.add_notice("mpps", "p", [("sx", "x"), ("sx", "y"), ("sz", "z")], 1.0)
            index.add_notice("commitment", "c", [("", "x")], 1.0)
        found = index.announced(["sx"], ["x"])
        assert (found.images, found.sources) == ({"x", "y"}, {"mpps", "commitment"})
        assert (found.awaited, found.expected) == (1, 2)
        assert [index.begin_step("p", 1.0), index.begin_step("p", 1.0), index.step_state("q")] == [True, False, None]
        index.end_step("p", "COMPLETED", 2.0)
        assert index.step_state("p") == "COMPLETED"
        row = CommitmentRow(
            transaction_uid="1.2", calling_ae="MR1", address="h", refs=(("1", "2"),), asked_at=1.0, next_at=1.0
        )
        index.add_commitment(row)
        assert index.due_commitments(1.0, 60.0) == [row]
        index.postpone_commitment("1.2", 60.0)
        assert index.due_commitments(1.0, 60.0) == []
        assert index.due_commitments(1.0, 50.0) == []  # another host's clock may be some seconds ahead
        assert index.due_commitments(1.0, 40.0)  # the clock was set back since it was postponed
        index.settle_commitment("1.2", "answered")
        assert index.due_commitments(99.0, 60.0) == []


def test_what_is_forgotten_of_a_study_is_what_was_named(url):
    with closing(Index(url)) as index:
        for name, study in (("x", "s"), ("y", "s"), ("z", "t")):
            index.open_association(f"of-{name}", "MR1", "10.0.0.5", 1.0)
            index.end_association(f"of-{name}", "released", 2.0)
            index.add_image(image(name, study=study, association=f"of-{name}"))
            index.add_conflict(name, "e", f"conflicts/{name}", 3.0)
        index.save_acquisitions("s", [AcquisitionRow(**ACQUISITION)])
        index.add_job(JobRow(job="j", study="s", images=frozenset(), numbers=frozenset()))
        assert set(index.studies()) == {"s", "t"}
        assert index.images_in("s") == {"x": "series-x", "y": "series-y"}
        assert index.conflicts_of(["x", "z"]) == ["conflicts/x", "conflicts/z"]
        index.forget("s", ["x"])
        assert (set(index.images_in("s")), len(index.acquisitions("s")), len(index.jobs("s"))) == ({"y"}, 1, 1)
        index.forget("s", ["y"])
        assert (index.studies(), index.acquisitions("s"), index.jobs("s")) == (["t"], [], [])
        assert index.conflicts() == {"conflicts/z"}
        index.forget_senders()
        assert set(index.associations(["of-x", "of-y", "of-z"])) == {"of-z"}


def test_the_latest_acquisitions_and_those_that_wait_are_shown(url):
    with closing(Index(url)) as index:
        for number, state in enumerate(("collecting", "queued", "queued", "refused")):
            values = {**ACQUISITION, "acquisition": str(number), "state": state, "changed_at": float(number)}
            index.save_acquisitions(f"s{number}", [AcquisitionRow(**{**values, "study": f"s{number}"})])
        assert [row.acquisition for row in index.latest_acquisitions(2)] == ["3", "2", "0"]
        counted = {row["state"]: (row["acquisitions"], row["oldest_at"]) for row in index.acquisition_states()}
        assert counted == {"collecting": (1, 0.0), "queued": (2, 1.0), "refused": (1, 3.0)}


def test_a_receiver_ends_the_associations_of_its_own_host_alone(url):
    with closing(Index(url)) as index:
        for owner in ("one", "two"):
            index.open_association(f"of-{owner}", "MR1", "10.0.0.5\0", 1.0, owner)
        assert index.lose_associations(2.0, "one") == 1
        found = index.associations(["of-one", "of-two", "of-nobody"])
        assert {name: row.ended_how for name, row in found.items()} == {"of-one": "lost", "of-two": None}


def test_a_silent_process_loses_its_lease_and_gets_a_new_one(url, monkeypatch):
    with closing(Index(url)) as index:
        epochs = {role: index.register("one", role, "one") for role in ("receiver", "worker")}
        index.open_association("a", "MR1", "10.0.0.5", 1.0, "one")
        assert index.renew("one", "worker", epochs["worker"])
        assert (index.dead("worker"), index.lose_associations_of_dead(2.0)) == ([], 0)
        assert not index.expire("one", "worker")
        monkeypatch.setattr(heartbeats, "DEAD_SECONDS", -1.0)
        assert (index.dead("worker"), index.lose_associations_of_dead(2.0)) == (["one"], 1)
        assert index.holds("one", "worker", epochs["worker"])
        assert index.expire("one", "worker")
        assert not index.renew("one", "worker", epochs["worker"])
        assert not index.holds("one", "worker", epochs["worker"])
        assert index.register("one", "worker", "one") > epochs["worker"]


def test_a_failed_transaction_changes_nothing(url):
    with closing(Index(url)) as index:
        index.save_acquisitions("s", [AcquisitionRow(**ACQUISITION)])
        with pytest.raises(SQLAlchemyError):
            index.save_acquisitions(
                "s", [AcquisitionRow(**ACQUISITION), AcquisitionRow(**{**ACQUISITION, "study": None})]
            )
        assert len(index.acquisitions("s")) == 1


def test_a_study_is_claimed_by_one_process_until_it_ends(postgres):
    url = postgres.new_database()
    with closing(Index(url)) as one:
        with closing(Index(url)) as two:
            assert one.claim("s")
            assert one.claim("s")
            assert not two.claim("s")
            assert two.claim("t")
            one.release("s")
            assert two.claim("s")
            assert not one.claim("s")
        wait_for(lambda: one.claim("s"), what="the server notices that the other has gone")


def test_a_connection_that_broke_while_idle_is_opened_again(postgres):
    with closing(Index(postgres.new_database())) as index:
        index.claim("s")
        (row,) = index._read("SELECT pg_backend_pid() AS pid")
        os.kill(row["pid"], signal.SIGTERM)
        index.add_image(image("x"))
        assert index.digest_of("x") == "d"


def test_pages_of_acquisitions_are_found_by_state_name_words_and_uid(url):
    names = [letter * 64 for letter in "abc"]
    with closing(Index(url)) as index:
        for number, name in enumerate(names):
            row = {**ACQUISITION, "acquisition": name, "study": name[0], "series": (f"series-{name[0]}",)}
            row |= {"changed_at": float(number), "state": "queued" if number else "refused", "job": f"{name[:16]}-1"}
            index.save_acquisitions(name[0], [AcquisitionRow(**row)])
        for wanted, found in (
            (Wanted(), "cba"),
            (Wanted(states=["queued"]), "cb"),
            (Wanted(names=["a" * 16, "c" * 16]), "ca"),
            (Wanted(names=[]), ""),
            (Wanted(words="ECHO planar"), "cba"),
            (Wanted(words=f"{'b' * 16}-1"), "b"),
            (Wanted(words="x", uid="b"), "b"),
            (Wanted(words="x", uid="series-c"), "c"),
            (Wanted(words="' OR 1=1 --", uid="x"), ""),
        ):
            assert index.acquisition_names(wanted, limit=9, offset=0) == [letter * 64 for letter in found]
            assert index.count_acquisitions(wanted) == len(found)
        assert index.acquisition_names(Wanted(), limit=1, offset=1) == [names[1]]
        assert [row.acquisition for row in index.acquisitions_named(names[:2])] == [names[1], names[0]]


def test_an_acquisition_says_when_its_images_came_from_whom_and_which_were_skipped(url):
    with closing(Index(url)) as index:
        index.open_association("a", "MR1", "10.0.0.5", 1.0)
        index.add_images([image(name, series="x", received_at=at) for name, at in (("i2", 3.0), ("i1", 2.0))])
        index.add_images([image("i0", series="z", association="unknown")])
        index.save_acquisitions("s", [AcquisitionRow(**{**ACQUISITION, "state": "queued"})])
        index.save_headers([], [("epi", "echo planar", "i0")])
        (came,) = index.arrived([ACQUISITION["acquisition"], "gone"]).values()
        assert (came.image, came.first_at, came.last_at) == ("i1", 2.0, 3.0)
        assert (came.calling_ae, came.address) == ("MR1", "10.0.0.5")
        assert index.arrived(["gone"]) == {}
        assert index.skipped_in("s") == [{"code": "epi", "reason": "echo planar", "images": 1}]
