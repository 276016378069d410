"""Results of an evaluation on disk, so that one that is interrupted, or repeated with new weights, goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recon.lab.evaluation.fingerprint import code_fingerprint
from recon.lab.evaluation.inversion import InversionResult, InversionRow, Source
from recon.lab.evaluation.score import Score
from recon.network.weights import load_weights

_NETWORK = "network"


def made_by(method: str) -> str:
    """Return what a stored result must have been made by to be kept: this state of the code, and these weights."""
    code = f"code {code_fingerprint()}"
    return f"{code}, weights {load_weights().sha256}" if method == _NETWORK else code


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was evaluated; results of another subject or size do not answer it."""

    seed: int
    voxel_size_mm: float | None


@dataclass(frozen=True, kw_only=True)
class Store:
    """A folder of results.

    Parameters
    ----------
    folder
        Takes one ``.npz`` for each case, source and method.
    question
        What is evaluated.
    """

    folder: Path
    question: Question

    def _path(self, case: str, source: Source, method: str) -> Path:
        return self.folder / f"{case}-{source.replace(' ', '-')}-{method}.npz"

    def load(self, case: str, source: Source, method: str) -> InversionResult | None:
        """Return a stored result, or None where there is none or it was made otherwise."""
        path = self._path(case, source, method)
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as stored:
            said = json.loads(str(stored["said"]))
            if said["question"] != asdict(self.question) or said["made_by"] != made_by(method):
                return None
            return InversionResult(
                rows=tuple(_row(values) for values in said["rows"]),
                chi_ppm=stored["chi_ppm"].astype(np.float32),
                truth_ppm=stored["truth_ppm"].astype(np.float32),
            )

    def save(self, result: InversionResult) -> None:
        """Keep a result; the maps in half precision, as figures need no more."""
        row = result.rows[0]
        said = {
            "question": asdict(self.question),
            "made_by": made_by(row.method),
            "rows": [asdict(r) for r in result.rows],
        }
        path = self._path(row.case, row.source, row.method)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part")
        with partial.open("wb") as stream:
            np.savez_compressed(
                stream,
                said=json.dumps(said),
                chi_ppm=result.chi_ppm.astype(np.float16),
                truth_ppm=result.truth_ppm.astype(np.float16),
            )
        partial.replace(path)

    def missing(self, case: str, source: Source, methods: Sequence[str]) -> tuple[str, ...]:
        """Return the methods whose result is not there."""
        return tuple(method for method in methods if self.load(case, source, method) is None)


def _row(values: dict[str, Any]) -> InversionRow:
    return InversionRow(**{**values, "score": Score(**values["score"])})
