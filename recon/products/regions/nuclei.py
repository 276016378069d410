"""Where the deep grey nuclei are: facts that the simulation draws from and the regional report looks for.

Positions are in MNI space (RAS, mm), of the MNI152 2009a symmetric template (Fonov 2011,
doi:10.1016/j.neuroimage.2010.07.033).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Nucleus:
    """A deep grey nucleus as an ellipsoid at its place in MNI space (RAS, mm).

    Parameters
    ----------
    tissue
        Name of the nucleus and of its tissue.
    centre_mm
        Right-hand centre; the left one mirrors x.
    radius_mm
        Semi-axes along the ellipsoid's own axes.
    yaw_deg
        Rotation about z; mirrored on the left.
    """

    tissue: str
    centre_mm: tuple[float, float, float]
    radius_mm: tuple[float, float, float]
    yaw_deg: float = 0.0


NUCLEI: tuple[Nucleus, ...] = (
    Nucleus(tissue="thalamus", centre_mm=(11, -19, 8), radius_mm=(8, 14, 8), yaw_deg=25),
    Nucleus(tissue="caudate", centre_mm=(12, 15, 8), radius_mm=(5, 10, 8), yaw_deg=10),
    Nucleus(tissue="putamen", centre_mm=(26, 3, 1), radius_mm=(5, 14, 9), yaw_deg=15),
    Nucleus(tissue="pallidum", centre_mm=(19, -4, -1), radius_mm=(4, 8, 5.5), yaw_deg=30),
    Nucleus(tissue="red_nucleus", centre_mm=(5, -20, -8), radius_mm=(3, 3.5, 4)),
    Nucleus(tissue="substantia_nigra", centre_mm=(10, -17, -12), radius_mm=(3, 7, 3.5), yaw_deg=35),
    Nucleus(tissue="dentate", centre_mm=(15, -57, -34), radius_mm=(4.5, 8, 6), yaw_deg=-30),
)
