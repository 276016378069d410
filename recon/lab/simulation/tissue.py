"""Magnetic and relaxation properties of tissue.

Susceptibilities are relative to water, from the ranges collected in the QSM literature (Wang & Liu 2015,
doi:10.1002/mrm.25358; QSM challenge 2.0, doi:10.1002/mrm.28754). Relaxation is for 3 T; R2* scales with B0.
"""

from __future__ import annotations

from dataclasses import dataclass

AIR_CHI_PPM = 9.4
FAT_SHIFT_PPM = -3.4
"""Chemical shift of fat relative to water."""
R2STAR_PER_PPM_TESLA = 45.0
"""R2* in 1/s that 1 ppm of microscopic susceptibility adds per tesla."""


@dataclass(frozen=True, kw_only=True)
class Tissue:
    """Mean properties of one tissue.

    Parameters
    ----------
    chi_ppm
        Susceptibility relative to water.
    chi_sd_ppm
        Standard deviation between subjects.
    r2star_per_s
        R2* at 3 T.
    signal
        Signal of the spoiled gradient echo at echo time zero, relative to the brightest tissue.
    texture_ppm
        Standard deviation of the texture within the tissue.
    """

    chi_ppm: float
    chi_sd_ppm: float
    r2star_per_s: float
    signal: float
    texture_ppm: float


TISSUES: dict[str, Tissue] = {
    "white_matter": Tissue(chi_ppm=-0.030, chi_sd_ppm=0.008, r2star_per_s=21.0, signal=0.72, texture_ppm=0.008),
    "grey_matter": Tissue(chi_ppm=0.020, chi_sd_ppm=0.008, r2star_per_s=17.0, signal=0.85, texture_ppm=0.010),
    "csf": Tissue(chi_ppm=0.019, chi_sd_ppm=0.006, r2star_per_s=2.0, signal=0.60, texture_ppm=0.002),
    "bone": Tissue(chi_ppm=-2.1, chi_sd_ppm=0.3, r2star_per_s=400.0, signal=0.12, texture_ppm=0.0),
    "muscle": Tissue(chi_ppm=0.0, chi_sd_ppm=0.02, r2star_per_s=32.0, signal=0.60, texture_ppm=0.0),
    "fat": Tissue(chi_ppm=0.3, chi_sd_ppm=0.2, r2star_per_s=30.0, signal=1.0, texture_ppm=0.0),
    "caudate": Tissue(chi_ppm=0.044, chi_sd_ppm=0.015, r2star_per_s=20.0, signal=0.80, texture_ppm=0.012),
    "pallidum": Tissue(chi_ppm=0.131, chi_sd_ppm=0.035, r2star_per_s=22.0, signal=0.75, texture_ppm=0.015),
    "putamen": Tissue(chi_ppm=0.038, chi_sd_ppm=0.015, r2star_per_s=20.0, signal=0.80, texture_ppm=0.012),
    "red_nucleus": Tissue(chi_ppm=0.100, chi_sd_ppm=0.030, r2star_per_s=22.0, signal=0.76, texture_ppm=0.010),
    "substantia_nigra": Tissue(chi_ppm=0.111, chi_sd_ppm=0.030, r2star_per_s=22.0, signal=0.76, texture_ppm=0.012),
    "dentate": Tissue(chi_ppm=0.120, chi_sd_ppm=0.035, r2star_per_s=20.0, signal=0.77, texture_ppm=0.015),
    "thalamus": Tissue(chi_ppm=0.020, chi_sd_ppm=0.012, r2star_per_s=19.0, signal=0.79, texture_ppm=0.012),
    "vein": Tissue(chi_ppm=0.25, chi_sd_ppm=0.08, r2star_per_s=30.0, signal=0.90, texture_ppm=0.0),
}


@dataclass(frozen=True, kw_only=True)
class Cavity:
    """An air cavity or bone of the skull base, an ellipsoid in MNI space (RAS, mm).

    Parameters
    ----------
    centre_mm
        Centre; both sides when ``paired``.
    radius_mm
        Semi-axes.
    paired
        Whether a mirrored one lies on the other side.
    """

    centre_mm: tuple[float, float, float]
    radius_mm: tuple[float, float, float]
    paired: bool = False


CAVITIES: dict[str, Cavity] = {
    "frontal sinus": Cavity(centre_mm=(9, 72, -6), radius_mm=(10, 7, 13), paired=True),
    "ethmoid": Cavity(centre_mm=(0, 44, -30), radius_mm=(12, 20, 13)),
    "sphenoid": Cavity(centre_mm=(0, 15, -32), radius_mm=(14, 12, 9)),
    "maxillary": Cavity(centre_mm=(28, 42, -58), radius_mm=(13, 16, 17), paired=True),
    "nasal": Cavity(centre_mm=(0, 45, -60), radius_mm=(10, 30, 18)),
    "pharynx": Cavity(centre_mm=(0, 4, -82), radius_mm=(9, 9, 38)),
    "trachea": Cavity(centre_mm=(0, -4, -165), radius_mm=(9, 9, 70)),
    "mouth": Cavity(centre_mm=(0, 42, -88), radius_mm=(18, 20, 4)),
    "mastoid": Cavity(centre_mm=(53, -32, -40), radius_mm=(9, 12, 13), paired=True),
    "ear canal": Cavity(centre_mm=(66, -18, -36), radius_mm=(18, 4, 4), paired=True),
}
