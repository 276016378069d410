import sqlite3
from contextlib import closing

from plugin.intake.index import AcquisitionRow, Index
from plugin.intake.schema import LATER_COLUMNS, SCHEMA

ROW = {"acquisition": "a" * 64, "study": "s", "state": "refused", "images": 3, "code": "epi", "reason": "echo planar"}


def test_an_index_of_an_earlier_version_is_brought_up_to_date(tmp_path):
    path = tmp_path / "index.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(SCHEMA)
        old.execute(
            "INSERT INTO acquisition (acquisition, study, state, images, code, reason, missing, job, changed_at)"
            " VALUES (:acquisition, :study, :state, :images, :code, :reason, '[]', '', 0)",
            ROW,
        )
        old.commit()
        assert not {row[1] for row in old.execute("PRAGMA table_info(acquisition)")} & {c for _, c, _ in LATER_COLUMNS}
    for _ in range(2):
        with closing(Index(path)) as index:
            (row,) = index.acquisitions()
            assert row == AcquisitionRow(**ROW, missing=(), job="", changed_at=0.0)


def test_what_a_decision_followed_from_is_kept(tmp_path):
    row = AcquisitionRow(
        **ROW,
        missing=("m",),
        job="j",
        changed_at=1.0,
        series=("x", "y"),
        evidence="full grid",
        rules=("r: fits: ignore",),
    )
    with closing(Index(tmp_path / "index.sqlite")) as index:
        index.save_acquisitions("s", [row])
    with closing(Index(tmp_path / "index.sqlite")) as index:
        assert index.acquisitions("s") == [row]
