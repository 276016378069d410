"""The index of the spool: one SQLite file, written by the receiver and the assembler, read by ``status``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from plugin.intake.notices import Notices


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """One received image; UIDs are hashes."""

    image: str
    series: str
    study: str
    path: str
    digest: str
    association: str
    received_at: float


@dataclass(frozen=True, kw_only=True)
class ReadImage:
    """An image of use, with its header, and from which association it came."""

    image: str
    digest: str
    header: str
    received_at: float
    association: str


@dataclass(frozen=True, kw_only=True)
class AssociationRow:
    """Who sent images, and whether it may still send more."""

    association: str
    calling_ae: str
    address: str
    opened_at: float
    ended_at: float | None
    ended_how: str | None


@dataclass(frozen=True, kw_only=True)
class AcquisitionRow:
    """What an acquisition has become."""

    acquisition: str
    study: str
    state: str
    images: int
    code: str
    reason: str
    missing: tuple[str, ...]
    job: str
    changed_at: float
    series: tuple[str, ...] = ()
    evidence: str = ""
    rules: tuple[str, ...] = ()


class Index(Notices):
    """Open the index of a spool, and create it where there is none.

    Every write is one transaction that is on the disk when the method returns (WAL, ``synchronous=FULL``).
    """

    # associations

    def open_association(self, association: str, calling_ae: str, address: str, now: float) -> None:
        """Note that a peer may send images from now on."""
        self._write(
            "INSERT OR IGNORE INTO association (association, calling_ae, address, opened_at) VALUES (?, ?, ?, ?)",
            (association, calling_ae, address, now),
        )

    def end_association(self, association: str, how: str, now: float) -> None:
        """Note that no more images come on an association; "lost" yields to a better reason."""
        self._write(
            "UPDATE association SET ended_at = ?, ended_how = ?"
            " WHERE association = ? AND (ended_at IS NULL OR ended_how = 'lost')",
            (now, how, association),
        )

    def lose_associations(self, now: float) -> int:
        """End every association that was open when the receiver died."""
        statement = "UPDATE association SET ended_at = ?, ended_how = 'lost' WHERE ended_at IS NULL"
        return self._write(statement, (now,))

    def associations(self, names: Sequence[str]) -> dict[str, AssociationRow]:
        """Return associations by name."""
        marks = ", ".join("?" * len(names))
        rows = self._read(
            "SELECT association, calling_ae, address, opened_at, ended_at, ended_how FROM association"
            f" WHERE association IN ({marks})",
            tuple(names),
        )
        return {row["association"]: AssociationRow(**row) for row in rows}

    # images

    def digest_of(self, image: str) -> str | None:
        """Return the digest of an image that was received before."""
        rows = self._read("SELECT digest FROM image WHERE image = ?", (image,))
        return str(rows[0]["digest"]) if rows else None

    def add_image(self, row: ImageRow) -> None:
        """Add a received image."""
        self._write(
            "INSERT INTO image (image, series, study, path, digest, association, received_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.image, row.series, row.study, row.path, row.digest, row.association, row.received_at),
        )

    def confirm_image(self, image: str, association: str, now: float) -> None:
        """Note that an image of an interrupted association came again on another one; it is judged anew."""
        self._write(
            "UPDATE image SET association = ?, received_at = ?, header = NULL WHERE image = ? AND association IN"
            " (SELECT association FROM association WHERE ended_how IN ('aborted', 'lost'))",
            (association, now, image),
        )

    def add_conflict(self, image: str, digest: str, path: str, now: float) -> None:
        """Note an object that came under the UID of another image; the same one again changes nothing."""
        self._write(
            "INSERT OR IGNORE INTO conflict (image, digest, path, received_at) VALUES (?, ?, ?, ?)",
            (image, digest, path, now),
        )

    def paths(self) -> set[str]:
        """Return where the images are, relative to the spool."""
        return {str(row["path"]) for row in self._read("SELECT path FROM image")}

    def unread_images(self, limit: int = 500) -> list[ImageRow]:
        """Return images whose header was not read yet, oldest first."""
        rows = self._read(
            "SELECT image, series, study, path, digest, association, received_at FROM image"
            " WHERE header IS NULL AND code IS NULL ORDER BY received_at LIMIT ?",
            (limit,),
        )
        return [ImageRow(**row) for row in rows]

    def has_unread(self, study: str) -> bool:
        """Say whether a study has images whose header was not read yet."""
        statement = "SELECT 1 FROM image WHERE study = ? AND header IS NULL AND code IS NULL LIMIT 1"
        return bool(self._read(statement, (study,)))

    def save_headers(self, headers: Sequence[tuple[str, str]], refused: Sequence[tuple[str, str, str]]) -> None:
        """Store headers as ``(JSON, image)`` and refusals as ``(code, reason, image)``."""
        with self._transaction() as cursor:
            cursor.executemany("UPDATE image SET header = ? WHERE image = ?", headers)
            cursor.executemany("UPDATE image SET code = ?, reason = ? WHERE image = ?", refused)

    def images_of_study(self, study: str) -> list[ReadImage]:
        """Return the images of use of a study."""
        rows = self._read(
            "SELECT image, digest, header, received_at, association FROM image WHERE study = ? AND header IS NOT NULL",
            (study,),
        )
        return [ReadImage(**row) for row in rows]

    def one_of_each_series(self, study: str) -> list[str]:
        """Return the path of one image of each series of a study, whether or not it is of use."""
        rows = self._read("SELECT MIN(path) AS path FROM image WHERE study = ? GROUP BY series", (study,))
        return [str(row["path"]) for row in rows]

    def counts(self) -> dict[str, int]:
        """Count the received, the unread and the ignored images, and those under the UID of another."""
        rows = self._read(
            "SELECT COUNT(*) AS received, COALESCE(SUM(code IS NOT NULL), 0) AS ignored,"
            " COALESCE(SUM(header IS NULL AND code IS NULL), 0) AS unread,"
            " (SELECT COUNT(*) FROM conflict) AS conflicts FROM image"
        )
        return rows[0]

    def ignored(self) -> list[dict[str, Any]]:
        """Return why images were set aside, as ``code``, ``reason`` and number of ``images``."""
        return self._read(
            "SELECT code, reason, COUNT(*) AS images FROM image WHERE code IS NOT NULL"
            " GROUP BY code, reason ORDER BY images DESC"
        )

    def images_called(self, uid: str) -> list[dict[str, Any]]:
        """Return what is known of the images of a study, a series, or of one image, by the UID's hash."""
        return self._read(
            "SELECT image, series, study, received_at, code, reason, header IS NOT NULL AS of_use, image.association,"
            " calling_ae, ended_how FROM image LEFT JOIN association ON association.association = image.association"
            " WHERE image = ? OR series = ? OR study = ? ORDER BY received_at",
            (uid, uid, uid),
        )

    # acquisitions

    def unsettled_studies(self) -> set[str]:
        """Return the studies that wait for images, and those with images that no acquisition counts."""
        rows = self._read(
            "SELECT study FROM acquisition WHERE state = 'collecting' UNION "
            "SELECT study FROM image WHERE header IS NOT NULL GROUP BY study HAVING COUNT(*) !="
            " COALESCE((SELECT SUM(images) FROM acquisition WHERE acquisition.study = image.study), 0)"
        )
        return {str(row["study"]) for row in rows}

    def acquisitions(self, study: str | None = None) -> list[AcquisitionRow]:
        """Return the acquisitions of one study or of all, the latest first."""
        where, values = ("", ()) if study is None else (" WHERE study = ?", (study,))
        rows = self._read(
            "SELECT acquisition, study, state, images, code, reason, missing, job, changed_at, series, evidence, rules"
            f" FROM acquisition{where} ORDER BY changed_at DESC",
            values,
        )
        lists = ("missing", "series", "rules")
        return [AcquisitionRow(**{**row, **{name: tuple(json.loads(row[name])) for name in lists}}) for row in rows]

    def save_acquisitions(self, study: str, rows: Sequence[AcquisitionRow]) -> None:
        """Replace what is known of a study's acquisitions."""
        lists = ("missing", "series", "rules")
        values = [{**asdict(row), **{name: json.dumps(getattr(row, name)) for name in lists}} for row in rows]
        with self._transaction() as cursor:
            cursor.execute("DELETE FROM acquisition WHERE study = ?", (study,))
            cursor.executemany(
                "INSERT OR REPLACE INTO acquisition"
                " (acquisition, study, state, images, code, reason, missing, job, changed_at, series, evidence, rules)"
                " VALUES (:acquisition, :study, :state, :images, :code, :reason, :missing, :job, :changed_at, :series,"
                " :evidence, :rules)",
                values,
            )

    # jobs

    def add_job(self, job: str, study: str) -> None:
        """Note that a job was made of images of a study."""
        self._write("INSERT OR IGNORE INTO job (job, study) VALUES (?, ?)", (job, study))

    def jobs(self, study: str) -> list[str]:
        """Return all jobs that were made of images of a study."""
        return [str(row["job"]) for row in self._read("SELECT job FROM job WHERE study = ?", (study,))]
