import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from plugin.errors import SpoolError
from plugin.intake.index import AcquisitionRow, ImageRow, Index, JobRow

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


def test_an_index_of_another_version_is_refused(tmp_path):
    Index(tmp_path / "index.sqlite").close()
    Index(tmp_path / "index.sqlite").close()
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(SpoolError, match="an index of version 99"):
        Index(tmp_path / "index.sqlite")


def test_what_a_decision_followed_from_is_kept(tmp_path):
    row = AcquisitionRow(**ACQUISITION)
    job = JobRow(job="j", study="s", images=frozenset({("1.2", 0), ("1.2", 1)}), numbers=frozenset({501, 502}))
    with closing(Index(tmp_path / "index.sqlite")) as index:
        index.save_acquisitions("s", [row])
        index.add_job(job)
    with closing(Index(tmp_path / "index.sqlite")) as index:
        assert index.acquisitions("s") == [row]
        assert index.jobs("s") == [job]


def test_acquisitions_are_found_by_everything_that_names_them(tmp_path):
    row = AcquisitionRow(**ACQUISITION)
    other = replace(row, acquisition="b" * 64, series=("z",))
    ungrouped = replace(row, acquisition="t", study="t", series=())
    with closing(Index(tmp_path / "index.sqlite")) as index:
        for name, study in (("x", "s"), ("z", "s"), ("w", "t")):
            values = {"image": f"image-{name}", "series": name, "study": study, "digest": "", "association": "a"}
            index.add_image(ImageRow(**values, received_at=0.0))
        index.save_acquisitions("s", [row, other])
        index.save_acquisitions("t", [ungrouped])
        for name, found in {"x": [row], "image-z": [other], "s": [row, other], "w": [ungrouped], "y": []}.items():
            assert index.acquisitions_called(name) == found
        assert index.acquisitions_called("aaaaaaaa") == [row]
        assert index.acquisitions_called("aaaaaaa") == []
        (images,) = index.images_called("x")
        assert (images["images"], images["state"], images["association"]) == (1, "not read yet", "open")
