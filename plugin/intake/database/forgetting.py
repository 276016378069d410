"""What retention asks of the index, and removes from it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from plugin.intake.database.connection import Database, prepared


class Forgetting(Database):
    """Studies as a whole, and how their rows are removed."""

    def studies(self) -> list[str]:
        """Return every study of which there are images."""
        return [str(row["study"]) for row in self._read("SELECT DISTINCT study FROM image")]

    def images_in(self, study: str) -> dict[str, str]:
        """Return the images of a study, usable or not, and the series of each; all are hashes."""
        rows = self._read("SELECT image, series FROM image WHERE study = :study", study=study)
        return {str(row["image"]): str(row["series"]) for row in rows}

    def committed_studies(self) -> frozenset[str]:
        """Return the studies of which somebody asked us to commit to images."""
        asked = "SELECT image FROM announced WHERE source = 'commitment'"
        rows = self._read(f"SELECT DISTINCT study FROM image WHERE image IN ({asked})")
        return frozenset(str(row["study"]) for row in rows)

    def conflicts_of(self, images: Sequence[str]) -> list[str]:
        """Return where the objects are that came under the UIDs of images, relative to the spool."""
        statement = f"SELECT path FROM conflict WHERE image IN {self._listed(':images')}"
        return [str(row["path"]) for row in self._read(statement, images=json.dumps(images))]

    def forget(self, study: str, images: Sequence[str]) -> None:
        """Remove images of a study, and all that is known of the study if it has no others."""
        these = f"image IN {self._listed(':images')}"
        gone = "study = :study AND NOT EXISTS (SELECT 1 FROM image WHERE study = :study)"
        values = {"images": json.dumps(images), "study": study}
        with self._transaction() as connection:
            for table in ("image", "conflict", "announced"):
                connection.execute(prepared(f"DELETE FROM {table} WHERE {these}"), values)
            for table in ("acquisition", "job", "protocol"):
                connection.execute(prepared(f"DELETE FROM {table} WHERE {gone}"), values)

    def forget_senders(self) -> None:
        """Remove associations without images, and steps and commitments that are over and older than every image."""
        oldest = "(SELECT MIN(received_at) FROM image)"
        with self._transaction() as connection:
            for statement in (
                "DELETE FROM association WHERE ended_at IS NOT NULL"
                " AND association NOT IN (SELECT association FROM image)",
                f"DELETE FROM step WHERE state != 'IN PROGRESS' AND changed_at < {oldest}",
                f"DELETE FROM commitment WHERE state != 'pending' AND asked_at < {oldest}",
            ):
                connection.execute(prepared(statement))
