"""Data that travels between the parts, and the conventions every part keeps.

Conventions (each has a test in ``tests/recon/test_types.py`` or ``tests/recon/operators/test_dipole.py``)
--------------------------------------------------------------------------------------------
* **Axes.** A volume is ``(x, y, z)``: x runs along the DICOM row direction (column index), y along the
  column direction (row index), z along their cross product (slice). Echoes come first: ``(echo, x, y, z)``.
* **B0.** ``Grid.b0_direction`` is the unit vector of the field in these axes: the x, y and z components of
  patient z. It is never divided by the voxel size.
* **Units.** Phase in radians, echo times in seconds, field and susceptibility in ppm, B0 in tesla, voxel
  size in mm. DICOM objects carry susceptibility in ppb.
* **Sign.** A paramagnetic (χ > 0) source raises the field on its B0 axis, and the phase grows with the
  field: ``phase = 2π · GAMMA_HZ_PER_TESLA · B0 · field_ppm · 1e-6 · TE``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from recon.errors import InvalidInputError

GAMMA_HZ_PER_TESLA = 42.577478e6
"""Proton gyromagnetic ratio over 2π (CODATA)."""

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Where the voxels of a volume are.

    Parameters
    ----------
    shape
        Number of voxels along x, y, z.
    voxel_size_mm
        Distance between voxel centres along x, y, z; z from slice positions, never from slice thickness.
    b0_direction
        Unit vector of the main field in image axes.
    """

    shape: tuple[int, int, int]
    voxel_size_mm: tuple[float, float, float]
    b0_direction: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Refuse sizes and directions that describe no volume."""
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise InvalidInputError(f"grid shape {self.shape}: expected three positive sizes")
        if len(self.voxel_size_mm) != 3 or not all(math.isfinite(v) and v > 0 for v in self.voxel_size_mm):
            raise InvalidInputError(f"voxel size {self.voxel_size_mm} mm: expected three positive lengths")
        norm = math.sqrt(sum(c * c for c in self.b0_direction))
        if len(self.b0_direction) != 3 or not math.isclose(norm, 1.0, abs_tol=1e-3):
            raise InvalidInputError(f"B0 direction {self.b0_direction}: expected a unit vector, norm is {norm:.4f}")

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel."""
        return math.prod(self.voxel_size_mm)


@dataclass(frozen=True, kw_only=True)
class GradientEcho:
    """A (multi-echo) gradient-echo acquisition in SI units.

    Parameters
    ----------
    magnitude
        ``(echo, x, y, z)`` float32, arbitrary linear scale, the same for all echoes.
    phase_rad
        ``(echo, x, y, z)`` float32, wrapped, sign as in the module's conventions.
    echo_times_s
        One per echo, strictly increasing.
    b0_tesla
        Field strength.
    grid
        Geometry of one volume.
    """

    magnitude: FloatArray
    phase_rad: FloatArray
    echo_times_s: tuple[float, ...]
    b0_tesla: float
    grid: Grid

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together and physics that is missing."""
        expected = (len(self.echo_times_s), *self.grid.shape)
        for name, array in (("magnitude", self.magnitude), ("phase", self.phase_rad)):
            if array.shape != expected:
                raise InvalidInputError(f"{name} has shape {array.shape}: expected (echo, x, y, z) = {expected}")
            if array.dtype != np.float32:
                raise InvalidInputError(f"{name} is {array.dtype}: expected float32")
        times = self.echo_times_s
        if not times or not all(math.isfinite(t) and t > 0 for t in times):
            raise InvalidInputError(f"echo times {times} s: expected positive times in seconds")
        if any(b <= a for a, b in itertools.pairwise(times)):
            raise InvalidInputError(f"echo times {times} s: expected strictly increasing times")
        if max(times) > 0.5:
            raise InvalidInputError(f"echo times {times} s: above 0.5 s; were they given in milliseconds?")
        if not (math.isfinite(self.b0_tesla) and 0.1 <= self.b0_tesla <= 25):
            raise InvalidInputError(f"field strength {self.b0_tesla} T: expected 0.1 to 25 T")


@dataclass(frozen=True, kw_only=True)
class TotalField:
    """The field of all sources inside and outside the head, with what the steps after it need to know of it.

    Made from phase by :func:`recon.field.total.total_field`, from a known field by
    :func:`recon.field.reliability.total_field_of`.

    Parameters
    ----------
    field_ppm
        ``(x, y, z)`` float32, relative to the carrier; zero outside the mask.
    mask
        ``(x, y, z)`` bool, voxels whose field is to be inverted.
    quality
        ``(x, y, z)`` float32 in 0..1, reliability of the phase; zero outside the mask.
    noise_ppm
        ``(x, y, z)`` float32, estimated standard deviation of ``field_ppm``; zero outside the mask.
    reliable
        ``(x, y, z)`` bool, voxels of the mask whose field means something.
    closed_mask
        ``(x, y, z)`` bool, the mask without thin voids open to its outside: where a background field is fitted.
    grid
        Geometry.
    ppm_per_2pi
        Field of one turn of a single echo's phase; None for several echoes, of which no turn can be wrong.
    mask_method
        How the mask was found: ``"deepbet"``, ``"signal"`` (no brain was recognised) or ``"given"``.
    warnings
        What a reader of the map has to know about the phase data, in sentences.
    figures
        Named quality figures, the unit in the name.
    """

    field_ppm: FloatArray
    mask: BoolArray
    quality: FloatArray
    noise_ppm: FloatArray
    reliable: BoolArray
    closed_mask: BoolArray
    grid: Grid
    ppm_per_2pi: float | None = None
    mask_method: str = "given"
    warnings: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SusceptibilityMap:
    """Susceptibility, ``(x, y, z)`` float32, zero outside the mask; ``reference`` says to people what zero means."""

    chi_ppm: FloatArray
    mask: BoolArray
    reference: str
    grid: Grid


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a result was made; only what really ran.

    ``engine`` and ``weights_sha256`` are empty for methods without a network; ``parameters`` holds every setting that
    influenced the result, ``references`` the DOI or arXiv number of each method that ran. ``engine_choice`` says what
    was asked for, what ran, and what kept the engines before it from running; it says nothing about the result.
    """

    software: str
    method: str
    engine: str
    weights_sha256: str
    parameters: Mapping[str, str | float | int | bool]
    versions: Mapping[str, str]
    references: tuple[str, ...] = ()
    engine_choice: str = ""


Level = Literal["ok", "degraded", "failed"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a map can be read: ok, degraded (with care) or failed (not at all); the reasons, worst first."""

    level: Level
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExpectedError:
    """The error that a map is expected to have.

    Parameters
    ----------
    brain_ppb
        Root mean square over the brain.
    bound_ppb
        Nine of ten maps with the same figures have a smaller one.
    nuclei_ppb
        Root mean square error of the mean of each deep grey nucleus, by name.
    """

    brain_ppb: float
    bound_ppb: float
    nuclei_ppb: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """A susceptibility map with everything needed to judge and repeat it.

    Parameters
    ----------
    susceptibility, total_field
        The map, and the field it was inverted from.
    figures
        Named quality figures, the unit in the name.
    verdict
        Whether the map can be read.
    warnings
        Sentences for the reader of the map, the verdict's reasons among them; empty when all was as it should be.
    seconds
        Wall-clock seconds per step, in the order they ran.
    provenance
        How it was made.
    expected_error
        How wrong it is expected to be; None where that is not known of its weights or method, and of a failed map.
    """

    susceptibility: SusceptibilityMap
    total_field: TotalField
    figures: Mapping[str, float]
    verdict: Verdict
    warnings: tuple[str, ...]
    seconds: Mapping[str, float]
    provenance: Provenance
    expected_error: ExpectedError | None = None
