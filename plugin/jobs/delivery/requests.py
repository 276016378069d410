"""Requests for storage commitment that wait for an answer, and the answers: files in the spool.

An answer may come to the deliverer, on the association of the request, or to the receiver, on one of the peer's. Each
keeps it here before it is acknowledged; the deliverer looks here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from plugin.files import make_private_folder, write_private_json
from plugin.log import get_logger, uid_hash
from plugin.network.commitment import answer_in

COMMITMENTS_FOLDER = "commitments"

_ASKED, _ANSWER = ".asked", ".answer"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Instances that a peer has committed to, and those that it has not, with the reason (PS3.3 C.14.1.1)."""

    committed: frozenset[str] = frozenset()
    failed: Mapping[str, int] = field(default_factory=dict)


def note_request(spool: Path, delivery: str, transaction_uid: str) -> None:
    """Note that a request is about to be sent; the answer to any other is dropped."""
    make_private_folder(spool / COMMITMENTS_FOLDER)
    write_private_json({}, _file(spool, delivery, transaction_uid, _ASKED))


def keep_answer(spool: Path, report: Dataset) -> None:
    """Keep the answer to a request; one to no known request changes nothing."""
    transaction, committed, failed = answer_in(report)
    log = get_logger().bind(images=len(committed), failed=len(failed))
    asked = [path for path in _files(spool, _ASKED) if path.stem.endswith(f",{uid_hash(transaction)}")]
    for path in asked:
        write_private_json({"committed": committed, "failed": failed}, path.with_suffix(_ANSWER))
    log.info("commitment.received" if asked else "commitment.unexpected")


def is_answered(spool: Path, delivery: str, transaction_uid: str) -> bool:
    """Say whether a request has been answered."""
    return _file(spool, delivery, transaction_uid, _ANSWER).exists()


def answer_to(spool: Path, delivery: str) -> Answer | None:
    """Return what the answers to all requests of a delivery say together; None if there is none."""
    answers = [json.loads(path.read_text(encoding="utf-8")) for path in _of(spool, delivery, _ANSWER)]
    if not answers:
        return None
    committed = frozenset(uid for one in answers for uid in one["committed"])
    failed = {uid: reason for one in answers for uid, reason in one["failed"].items() if uid not in committed}
    return Answer(committed=committed, failed=failed)


def answered_deliveries(spool: Path) -> set[str]:
    """Return the deliveries for which there are answers."""
    return {path.name.rpartition(",")[0] for path in _files(spool, _ANSWER)}


def forget_request(spool: Path, delivery: str, transaction_uid: str) -> None:
    """Remove a request that did not reach the peer."""
    _file(spool, delivery, transaction_uid, _ASKED).unlink(missing_ok=True)


def forget_requests(spool: Path, delivery: str) -> None:
    """Remove the requests of a delivery, or of a job, and their answers."""
    for suffix in (_ASKED, _ANSWER):
        for path in _of(spool, delivery, suffix):
            path.unlink(missing_ok=True)


def _of(spool: Path, delivery: str, suffix: str) -> list[Path]:
    return [path for path in _files(spool, suffix) if path.name.startswith((f"{delivery},", f"{delivery}."))]


def _files(spool: Path, suffix: str) -> Iterator[Path]:
    return (spool / COMMITMENTS_FOLDER).glob(f"[!.]*{suffix}")


def _file(spool: Path, delivery: str, transaction_uid: str, suffix: str) -> Path:
    return spool / COMMITMENTS_FOLDER / f"{delivery},{uid_hash(transaction_uid)}{suffix}"
