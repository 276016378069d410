"""The error that a map is expected to have, from its own figures.

Fitted on simulated scans, good and spoiled (:mod:`recon.lab.evaluation.verdict.fit`), for one set of weights: a
map of other weights, or of another method, has no expected error. A figure enters by its logarithm, as straight pieces
between knots, so that the fit is a sum that can be read; beyond the values it was fitted on it is held.
"""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from recon.types import ExpectedError


@dataclass(frozen=True, kw_only=True)
class FigureTerm:
    """How a figure enters.

    Parameters
    ----------
    figure
        Its name.
    least
        What is added to its absolute value before the logarithm is taken; 0 where the value itself enters.
    knots
        Ends of the straight pieces, ascending; values beyond the outer ones are held.
    weights
        One slope for each piece.
    missing
        What a map adds that does not have the figure.
    """

    figure: str
    least: float
    knots: tuple[float, ...]
    weights: tuple[float, ...]
    missing: float

    def of(self, figures: Mapping[str, float]) -> float:
        """Return what the figure adds to the logarithm of the error."""
        if self.figure not in figures:
            return self.missing
        return float(np.dot(pieces(entering(figures[self.figure], self.least), self.knots), self.weights))


def entering(value: float, least: float) -> float:
    """Return a figure's logarithm, or the figure itself."""
    return float(np.log(abs(value) + least)) if least else value


def pieces(value: float, knots: tuple[float, ...]) -> np.ndarray:
    """Return how far a value has come along each straight piece."""
    ends = np.asarray(knots)
    return np.asarray(np.clip(value, ends[:-1], ends[1:]) - ends[:-1])


@dataclass(frozen=True, kw_only=True)
class ErrorModel:
    """What was fitted.

    Parameters
    ----------
    weights_sha256
        Weights of the network whose maps it was fitted on.
    constant
        Logarithm of the error in ppb where no figure adds anything.
    terms
        The figures.
    bound_factor
        Nine of ten errors are smaller than the expected one times this.
    nuclei
        Error of each nucleus's mean over that of the brain, root mean square.
    scans
        How many it was fitted on.
    """

    weights_sha256: str
    constant: float
    terms: tuple[FigureTerm, ...]
    bound_factor: float
    nuclei: Mapping[str, float]
    scans: int

    def expected(self, figures: Mapping[str, float]) -> ExpectedError:
        """Return the error to be expected of a map with these figures."""
        brain_ppb = float(np.exp(self.constant + sum(term.of(figures) for term in self.terms)))
        return ExpectedError(
            brain_ppb=brain_ppb,
            bound_ppb=self.bound_factor * brain_ppb,
            nuclei_ppb={name: share * brain_ppb for name, share in self.nuclei.items()},
        )


def shipped_model() -> Path:
    """Return the file of the model that comes with the package."""
    return Path(str(importlib.resources.files("recon") / "weights" / "expected_error.json"))


@cache
def load_model(path: Path | None = None) -> ErrorModel | None:
    """Load a model, the shipped one by default; None where there is none."""
    path = path or shipped_model()
    if not path.is_file():
        return None
    said: dict[str, Any] = json.loads(path.read_text())
    terms = tuple(
        FigureTerm(**{**term, "knots": tuple(term["knots"]), "weights": tuple(term["weights"])})
        for term in said.pop("terms")
    )
    return ErrorModel(**said, terms=terms)


def expected_error(figures: Mapping[str, float], weights_sha256: str) -> ExpectedError | None:
    """Return the error to be expected of a map made by these weights.

    None if the model is not theirs, or no brain was recognised: it was fitted on brains, and names nuclei.
    """
    model = load_model()
    if model is None or model.weights_sha256 != weights_sha256 or figures.get("no_brain_recognised"):
        return None
    return model.expected(figures)
