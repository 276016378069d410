"""Rows and maps of an evaluation, kept on disk so that one that is interrupted, or run again, resumes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from recon.lab.evaluation.bands import Band
from recon.lab.evaluation.fingerprint import code_fingerprint
from recon.lab.evaluation.score import Score
from recon.network.weights import load_weights
from recon.types import FloatArray

_NETWORK = "network"
Source = Literal["true field", "wrapped phase"]
Judged = Literal["brain", "eroded"]


@dataclass(frozen=True, kw_only=True)
class InversionRow:
    """One method on one case.

    Parameters
    ----------
    case, method
        Names.
    source
        What the method was given: the noise-free true field, or what the product makes of wrapped phase.
    judged
        Which voxels count: the true brain, or that eroded by three voxels, the same for all methods.
    coverage_percent
        Share of them in which the method gave a value; the others count as zero.
    score
        Metrics.
    bands
        Error by wavelength, and by the cone on which a field shows nothing.
    seconds
        Wall-clock time of the inversion alone.
    """

    case: str
    method: str
    source: Source
    judged: Judged
    coverage_percent: float
    score: Score
    bands: tuple[Band, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class InversionResult:
    """A method's map with its rows.

    Parameters
    ----------
    rows
        One for each mask that it was judged on.
    chi_ppm
        ``(x, y, z)`` float32 relative to its mean over the brain, zero outside.
    truth_ppm
        ``(x, y, z)`` float32, likewise.
    """

    rows: tuple[InversionRow, ...]
    chi_ppm: FloatArray
    truth_ppm: FloatArray


def made_by(method: str) -> str:
    """Return what a stored result must have been made by to be kept: this state of the code, and these weights."""
    code = f"code {code_fingerprint()}"
    return f"{code}, weights {load_weights().sha256}" if method == _NETWORK else code


@dataclass(frozen=True, kw_only=True)
class Store:
    """A folder of results, one ``.npz`` for each case, source and method.

    Parameters
    ----------
    folder
        The folder.
    seed, voxel_size_mm
        What is evaluated; results of another subject or size are made again.
    """

    folder: Path
    seed: int
    voxel_size_mm: float | None

    @property
    def _question(self) -> dict[str, Any]:
        return {"seed": self.seed, "voxel_size_mm": self.voxel_size_mm}

    def _path(self, case: str, source: Source, method: str) -> Path:
        return self.folder / f"{case}-{source.replace(' ', '-')}-{method}.npz"

    def load(self, case: str, source: Source, method: str) -> InversionResult | None:
        """Return a stored result, or None where there is none or it was made otherwise."""
        path = self._path(case, source, method)
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as stored:
            said = json.loads(str(stored["said"]))
            if said["question"] != self._question or said["made_by"] != made_by(method):
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
            "question": self._question,
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


def _row(values: dict[str, Any]) -> InversionRow:
    bands = tuple(Band(**band) for band in values["bands"])
    return InversionRow(**{**values, "score": Score(**values["score"]), "bands": bands})
