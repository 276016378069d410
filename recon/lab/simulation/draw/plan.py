"""Everything random about a simulated head, drawn before anything is computed.

A plan is plain data: the same plan applied twice gives the same head, on any device and any grid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from recon.lab.simulation.draw.effect_plans import NO_EFFECTS, EffectsPlan
from recon.types import GAMMA_HZ_PER_TESLA

Vector = tuple[float, float, float]
AXIAL = np.diag([-1.0, -1.0, 1.0])
"""From head (right, anterior, superior) to axial image axes (left, posterior, superior)."""
BRAIN_CENTRE_MM = (0.0, -18.0, 8.0)
"""Middle of the brain in template and head axes."""
BRAIN_RADIUS_MM = (66.0, 84.0, 66.0)
"""Semi-axes of the ellipsoid that lesions are placed in."""


def vector(values: Iterable[float]) -> Vector:
    """Return three numbers as a tuple of plain floats."""
    x, y, z = (float(value) for value in values)
    return (x, y, z)


@dataclass(frozen=True, kw_only=True)
class EllipsoidPlan:
    """An ellipsoid in template space (RAS, mm).

    Parameters
    ----------
    centre_mm, radius_mm
        Centre and semi-axes.
    yaw_deg
        Rotation about z.
    roughness
        Relative amplitude of the bumps on its surface.
    power
        Exponent of its norm: 2 an ellipsoid, large a box.
    """

    centre_mm: Vector
    radius_mm: Vector
    yaw_deg: float = 0.0
    roughness: float = 0.0
    power: float = 2.0


@dataclass(frozen=True, kw_only=True)
class NucleusPlan:
    """A deep grey nucleus of this head: which tissue, where, and its susceptibility."""

    tissue: str
    shape: EllipsoidPlan
    chi_ppm: float


@dataclass(frozen=True, kw_only=True)
class VeinPlan:
    """A vein as a chain of points in template space.

    Parameters
    ----------
    points_mm
        ``(n, 3)`` float32 positions, spaced below a voxel.
    radius_mm
        Its radius.
    chi_ppm
        Susceptibility of the blood.
    """

    points_mm: np.ndarray
    radius_mm: float
    chi_ppm: float


@dataclass(frozen=True, kw_only=True)
class LesionPlan:
    """A bleed, microbleed or calcification.

    Parameters
    ----------
    kind
        ``"haemorrhage"``, ``"microbleed"`` or ``"calcification"``.
    shape
        Outline before roughening.
    chi_ppm
        Susceptibility of its body.
    rim_chi_ppm
        Susceptibility of its outer quarter.
    """

    kind: str
    shape: EllipsoidPlan
    chi_ppm: float
    rim_chi_ppm: float


@dataclass(frozen=True, kw_only=True)
class ShapePlan:
    """A random ellipsoid without anatomical meaning, so that a network cannot rely on anatomy."""

    shape: EllipsoidPlan
    chi_ppm: float


@dataclass(frozen=True, kw_only=True)
class HeadPlan:
    """One head.

    Parameters
    ----------
    affine
        ``(3, 3)`` from head to template mm.
    warp_mm
        ``(3, n, n, n)`` control displacements over +-128 mm around the brain, axes (component, z, y, x).
    gap_mm, skull_mm, scalp_mm
        Thickness of the outer fluid, the skull and the scalp.
    neck_radius_mm
        Radius of the neck.
    chi_ppm, r2star_per_s
        Mean susceptibility and R2* (3 T) of each tissue of this head.
    texture_seed
        Seed of the tissue texture.
    texture_scale
        Factor on the tissues' texture.
    anatomy
        Weight of the anatomical susceptibility; 0 leaves only ``shapes``.
    fibre_ppm
        Standard deviation of the smooth variation of white matter that fibre direction makes.
    """

    affine: np.ndarray
    warp_mm: np.ndarray
    gap_mm: float
    skull_mm: float
    scalp_mm: float
    neck_radius_mm: float
    chi_ppm: dict[str, float]
    r2star_per_s: dict[str, float]
    nuclei: tuple[NucleusPlan, ...]
    cavities: tuple[EllipsoidPlan, ...]
    veins: tuple[VeinPlan, ...]
    lesions: tuple[LesionPlan, ...] = ()
    shapes: tuple[ShapePlan, ...] = ()
    texture_seed: int = 0
    texture_scale: float = 1.0
    anatomy: float = 1.0
    fibre_ppm: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ScanPlan:
    """One acquisition of a head.

    Parameters
    ----------
    shape, voxel_size_mm
        Image grid.
    rotation
        ``(3, 3)`` orthonormal, from head (RAS) to image axes.
    centre_mm
        Head position of the image centre.
    b0_head
        Unit vector of B0 in head axes: the tilt of the head in the magnet.
    b0_tesla, echo_times_s
        Field strength and echo times.
    snr
        Peak magnitude of the brain over the noise of one channel; ``inf`` for none.
    shim_residual
        Share of the second-order harmonics that the shim leaves.
    offset_rad
        Coefficients of the receive phase: constant, linear x, y, z, quadratic, over the half field of view.
    coil_fall
        How much weaker the receive sensitivity is at the centre.
    bipolar_rad
        Odd/even phase difference at the edge along x; 0 for monopolar readout.
    oversample
        Subvoxels per voxel along x, y, z.
    noise_seed
        Seed of the noise.
    effects
        What else disturbs the measurement.
    """

    shape: tuple[int, int, int]
    voxel_size_mm: Vector
    rotation: np.ndarray
    centre_mm: Vector
    b0_head: Vector
    b0_tesla: float
    echo_times_s: tuple[float, ...]
    snr: float
    shim_residual: float
    offset_rad: tuple[float, ...]
    coil_fall: float = 0.3
    bipolar_rad: float = 0.0
    oversample: tuple[int, int, int] = (1, 1, 1)
    noise_seed: int = 0
    effects: EffectsPlan = NO_EFFECTS

    @property
    def b0_direction(self) -> Vector:
        """B0 in image axes."""
        b0 = self.rotation @ np.asarray(self.b0_head)
        return vector(b0 / np.linalg.norm(b0))

    @property
    def ppm_per_2pi(self) -> float:
        """Field in ppm that turns the last echo's phase by 2π."""
        return 1.0 / (GAMMA_HZ_PER_TESLA * self.b0_tesla * 1e-6 * self.echo_times_s[-1])

    @property
    def doubtful_turn_ppm(self) -> float | None:
        """The same of a single echo, for :func:`recon.field.reliability.reliability`; None if there are several."""
        return self.ppm_per_2pi if len(self.echo_times_s) == 1 else None


@dataclass(frozen=True, kw_only=True)
class SubjectPlan:
    """A head and the scan made of it."""

    head: HeadPlan
    scan: ScanPlan


@dataclass(frozen=True, kw_only=True)
class SourcePlan:
    """A magnetised ball outside the brain.

    Parameters
    ----------
    centre_mm
        Position in image axes, relative to the image centre.
    radius_mm
        Its radius.
    chi_ppm
        Its susceptibility relative to its surroundings.
    """

    centre_mm: Vector
    radius_mm: float
    chi_ppm: float


@dataclass(frozen=True, kw_only=True)
class WavePlan:
    """A harmonic polynomial ``Re (w · (u + i v) / 80 mm)^n`` with ``u`` and ``v`` orthonormal.

    Rotations of these span every solid harmonic of degree ``n``.

    Parameters
    ----------
    u, v
        Orthonormal vectors in image axes.
    degree
        ``n``.
    amplitude_ppm, angle_rad
        Value at 80 mm and phase of ``w``.
    """

    u: Vector
    v: Vector
    degree: int
    amplitude_ppm: float
    angle_rad: float


@dataclass(frozen=True, kw_only=True)
class BackgroundPlan:
    """What disturbs the field beyond the head itself."""

    sources: tuple[SourcePlan, ...] = ()
    waves: tuple[WavePlan, ...] = ()
