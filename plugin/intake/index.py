"""The index of the spool: written by receivers and assemblers, read by ``status``; a file, or PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Json

from plugin.config.settings import Settings
from plugin.errors import PluginError
from plugin.intake.database.associations import Associations
from plugin.intake.database.connection import prepared
from plugin.intake.database.forgetting import Forgetting
from plugin.intake.database.notices import Notices
from plugin.intake.database.overview import Overview
from plugin.intake.database.protocols import Protocols
from plugin.intake.database.submitted import Submitted

INDEX_FILE = "index.sqlite"

CONFLICTS = "conflicts"
"""Folder, in the spool, of objects under the UID of another image."""

_SHORTEST_START = 8
"""How much of an acquisition's name finds it."""


@dataclass(frozen=True, kw_only=True)
class ImageRow:
    """One received image; UIDs are hashes."""

    image: str
    series: str
    study: str
    digest: str
    association: str
    received_at: float

    @property
    def path(self) -> str:
        """Where it is, relative to the spool."""
        return f"images/{self.study}/{self.series}/{self.image}.dcm"

    @property
    def conflict_path(self) -> str:
        """Where it is if another image was received under its UID before."""
        return f"{CONFLICTS}/{self.image}-{self.digest[:16]}.dcm"


@dataclass(frozen=True, kw_only=True)
class ReadImage:
    """A usable image, with its header, and from which association it came."""

    image: str
    header: str
    received_at: float
    association: str


@dataclass(frozen=True, kw_only=True)
class AcquisitionRow:
    """What an acquisition has become."""

    acquisition: str
    study: str
    state: str
    images: int
    changed_at: float
    code: str = ""
    reason: str = ""
    missing: Json[tuple[str, ...]] = ()
    job: str = ""
    series: Json[tuple[str, ...]] = ()
    evidence: str = ""
    rules: Json[tuple[str, ...]] = ()


class Index(Notices, Associations, Submitted, Protocols, Forgetting, Overview):
    """Open the index of a spool, and create it where there is none."""

    # images

    def digest_of(self, image: str) -> str | None:
        """Return the digest of an image that was received before."""
        rows = self._read("SELECT digest FROM image WHERE image = :image", image=image)
        return str(rows[0]["digest"]) if rows else None

    def add_image(self, row: ImageRow) -> None:
        """Add a received image."""
        self._add("image", row)

    def add_images(self, rows: Sequence[ImageRow]) -> None:
        """Add images, all of them or none."""
        self._add("image", *rows)

    def confirm_image(self, image: str, association: str, now: float) -> None:
        """Note that an image of an interrupted association came again on another one; it is judged again."""
        self._write(
            "UPDATE image SET association = :association, received_at = :now, header = NULL, attempts = 0"
            " WHERE image = :image"
            " AND association IN (SELECT association FROM association WHERE ended_how IN ('aborted', 'lost'))",
            **{"association": association, "now": now, "image": image},
        )

    def add_conflict(self, image: str, digest: str, path: str, now: float) -> None:
        """Note an object that came under the UID of another image; the same one again changes nothing."""
        statement = (
            "INSERT INTO conflict (image, digest, path, received_at) VALUES (:image, :digest, :path, :now)"
            " ON CONFLICT DO NOTHING"
        )
        self._write(statement, image=image, digest=digest, path=path, now=now)

    def conflicts(self) -> set[str]:
        """Return where the objects under the UID of another image are, relative to the spool."""
        return {str(row["path"]) for row in self._read("SELECT path FROM conflict")}

    def paths(self) -> set[str]:
        """Return where the images are, relative to the spool."""
        return {row.path for row in self._images()}

    def unread_images(self, limit: int = 500) -> list[ImageRow]:
        """Return images whose header was not read yet, oldest first."""
        return self._images("WHERE header IS NULL AND code IS NULL ORDER BY received_at LIMIT :limit", limit=limit)

    def begin_reading(self, images: Sequence[str]) -> dict[str, int]:
        """Note that the headers of images are being read; return how often that began of those that never were."""
        names, mine = json.dumps(images), f"image IN {self._listed(':names')}"
        begun = self._read(f"SELECT image, attempts FROM image WHERE attempts > 0 AND {mine}", names=names)
        self._write(f"UPDATE image SET attempts = 1 WHERE attempts = 0 AND {mine}", names=names)
        return {row["image"]: row["attempts"] for row in begun}

    def count_attempt(self, image: str) -> int:
        """Count a process that died while it read an image; return how many began to."""
        self._write("UPDATE image SET attempts = attempts + 1 WHERE image = :image", image=image)
        (row,) = self._read("SELECT attempts FROM image WHERE image = :image", image=image)
        return int(row["attempts"])

    def has_unread(self, study: str) -> bool:
        """Say whether a study has images whose header was not read yet."""
        statement = "SELECT 1 FROM image WHERE study = :study AND header IS NULL AND code IS NULL LIMIT 1"
        return bool(self._read(statement, study=study))

    def save_headers(self, headers: Sequence[tuple[str, str]], refused: Sequence[tuple[str, str, str]]) -> None:
        """Store headers as ``(JSON, image)`` and refusals as ``(code, reason, image)``."""
        with self._transaction() as connection:
            for statement, names, rows in (
                ("UPDATE image SET header = :header WHERE image = :image", ("header", "image"), headers),
                (
                    "UPDATE image SET code = :code, reason = :reason WHERE image = :image",
                    ("code", "reason", "image"),
                    refused,
                ),
            ):
                if rows:
                    connection.execute(prepared(statement), [dict(zip(names, row, strict=True)) for row in rows])

    def images_of_study(self, study: str) -> list[ReadImage]:
        """Return the usable images of a study."""
        return self._rows(ReadImage, "image", "WHERE study = :study AND header IS NOT NULL", study=study)

    def last_received_at(self, study: str) -> float:
        """Return when the last image of a study came, usable or not; it has one."""
        (row,) = self._read("SELECT MAX(received_at) AS last FROM image WHERE study = :study", study=study)
        return float(row["last"])

    def one_of_each_series(self, study: str) -> list[str]:
        """Return the path of one image of each series of a study, whether usable or not."""
        condition = "WHERE image IN (SELECT MIN(image) FROM image WHERE study = :study GROUP BY series)"
        rows = self._images(condition, study=study)
        return [row.path for row in rows]

    def stored(self, image: str) -> str | None:
        """Return where an image is, relative to the spool; None if it is not here, or here with two contents."""
        rows = self._images("WHERE image = :image AND image NOT IN (SELECT image FROM conflict)", image=image)
        return rows[0].path if rows else None

    def _images(self, condition: str = "", **values: object) -> list[ImageRow]:
        return self._rows(ImageRow, "image", condition, **values)

    def counts(self) -> dict[str, int]:
        """Count the received, the unread and the skipped images, and those under the UID of another."""
        (counts,) = self._read(
            "SELECT COUNT(*) AS received,"
            " (SELECT COUNT(*) FROM image WHERE code IS NOT NULL) AS ignored,"
            " (SELECT COUNT(*) FROM image WHERE header IS NULL AND code IS NULL) AS unread,"
            " (SELECT COUNT(*) FROM conflict) AS conflicts FROM image"
        )
        return counts

    def ignored(self) -> list[dict[str, Any]]:
        """Return why images were skipped, as ``code``, ``reason`` and number of ``images``."""
        return self._read(
            "SELECT code, reason, COUNT(*) AS images FROM image WHERE code IS NOT NULL"
            " GROUP BY code, reason ORDER BY images DESC"
        )

    def images_called(self, uid: str) -> list[dict[str, Any]]:
        """Count the images of a study, a series, or one image, by the UID's hash: sender, end, state and reason."""
        return self._read(
            "SELECT COALESCE(calling_ae, '') AS calling_ae, COALESCE(ended_how, 'open') AS association,"
            " CASE WHEN header IS NOT NULL THEN 'usable' WHEN code IS NOT NULL THEN 'skipped' ELSE 'not read yet' END"
            " AS state, COALESCE(code, '') AS code, COALESCE(reason, '') AS reason, COUNT(*) AS images"
            " FROM image LEFT JOIN association ON association.association = image.association"
            " WHERE image = :uid OR series = :uid OR study = :uid"
            " GROUP BY 1, 2, 3, 4, 5 ORDER BY MIN(received_at)",
            uid=uid,
        )

    def headers_in(self, study: str, series: Sequence[str]) -> list[ReadImage]:
        """Return the usable images in series of a study."""
        condition = f"WHERE study = :study AND header IS NOT NULL AND series IN {self._listed(':series')}"
        return self._rows(ReadImage, "image", condition, study=study, series=json.dumps(series))

    # acquisitions

    def unsettled_studies(self, since: float, received_since: float = 0.0) -> set[str]:
        """Return the studies that wait for images, and those with images, received since then, that nothing counts.

        Also those of which an acquisition was given up ``since`` then: the page that says so may still wait.
        """
        rows = self._read(
            "SELECT study FROM acquisition WHERE state IN ('collecting', 'failed')"
            " OR (state IN ('incomplete', 'refused') AND changed_at >= :since) UNION "
            "SELECT study FROM image WHERE header IS NOT NULL"
            " AND study IN (SELECT study FROM image WHERE received_at >= :received_since)"
            " GROUP BY study HAVING COUNT(*) !="
            " COALESCE((SELECT SUM(images) FROM acquisition WHERE acquisition.study = image.study), 0)",
            **{"since": since, "received_since": received_since},
        )
        return {str(row["study"]) for row in rows}

    def acquisitions(self, study: str | None = None) -> list[AcquisitionRow]:
        """Return the acquisitions of one study or of all, the latest first."""
        condition = f"{'' if study is None else 'WHERE study = :study'} ORDER BY changed_at DESC, acquisition"
        return self._rows(AcquisitionRow, "acquisition", condition, study=study)

    def latest_acquisitions(self, limit: int) -> list[AcquisitionRow]:
        """Return the acquisitions that changed last, the latest first, and older ones that still wait."""
        condition = (
            "WHERE acquisition IN (SELECT acquisition FROM acquisition ORDER BY changed_at DESC LIMIT :limit)"
            " OR state = 'collecting' ORDER BY changed_at DESC"
        )
        return self._rows(AcquisitionRow, "acquisition", condition, limit=limit)

    def acquisition_states(self) -> list[dict[str, Any]]:
        """Count the acquisitions in each ``state``, and say when the one that changed first did (``oldest_at``)."""
        return self._read(
            "SELECT state, COUNT(*) AS acquisitions, MIN(changed_at) AS oldest_at FROM acquisition GROUP BY state"
        )

    def acquisitions_called(self, uid: str) -> list[AcquisitionRow]:
        """Return the acquisitions of a study, a series or an image, by the UID's hash, or by the start of their name.

        An acquisition without series is a study that could not be grouped.
        """
        rows = self._read(
            "SELECT DISTINCT acquisition FROM acquisition LEFT JOIN image ON image.study = acquisition.study"
            f" AND (acquisition.series = '[]' OR image.series IN {self._listed('acquisition.series')})"
            " WHERE :uid IN (image.image, image.series, image.study) OR acquisition LIKE :start",
            **{"uid": uid, "start": f"{uid}%" if len(uid) >= _SHORTEST_START else ""},
        )
        return self.acquisitions_named([row["acquisition"] for row in rows])

    def acquisitions_named(self, names: Sequence[str]) -> list[AcquisitionRow]:
        """Return acquisitions by name, the latest first."""
        condition = f"WHERE acquisition IN {self._listed(':names')} ORDER BY changed_at DESC, acquisition"
        return self._rows(AcquisitionRow, "acquisition", condition, names=json.dumps(names))

    def save_acquisitions(self, study: str, rows: Sequence[AcquisitionRow]) -> None:
        """Replace what is known of a study's acquisitions."""
        self._replace("acquisition", "study = :study", {"study": study}, rows)


def index_url(spool: Path, database_url: str = "") -> str:
    """Return where the index of a spool is: in PostgreSQL, or in a file of the spool."""
    return database_url or f"sqlite:///{spool / INDEX_FILE}"


def migrate_index(settings: Settings) -> None:
    """Bring the index of a spool up to date; errors as of ``existing_index``."""
    existing_index(settings, migrate=True).close()


def existing_index(settings: Settings, *, migrate: bool = False) -> Index:
    """Open the index of a spool; raise ``PluginError`` if no service has used it."""
    spool = settings.spool
    if not settings.database_url and not (spool / INDEX_FILE).exists():
        raise PluginError(f"no service has used the spool {spool} yet; start one, or name its configuration")
    return Index(index_url(spool, settings.database_url), migrate=migrate)
