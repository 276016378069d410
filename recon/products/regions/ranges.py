"""Which mean susceptibility of a nucleus is plausible, relative to the whole brain.

Broad limits around published means of healthy adults: they find a map with the wrong sign, unit or reference, and a
nucleus that was missed. They do not tell health from disease. Sources: doi:10.1016/j.neuroimage.2015.07.050,
doi:10.1002/mrm.25358, doi:10.1002/mrm.28754; doi:10.1002/hbm.25569 for the rise of iron in childhood and youth.
"""

from __future__ import annotations

ADULT_YEARS = 20.0
_LOWERED_PPB = 50.0
ADULT_PPB: dict[str, tuple[float, float]] = {
    "thalamus": (-60.0, 70.0),
    "caudate": (0.0, 120.0),
    "putamen": (-10.0, 150.0),
    "pallidum": (40.0, 250.0),
    "red_nucleus": (10.0, 220.0),
    "substantia_nigra": (20.0, 240.0),
    "dentate": (20.0, 240.0),
}


def plausible_range(name: str, age_years: float | None) -> tuple[float, float]:
    """Return the least and greatest plausible mean of a nucleus in ppb; an adult's if the age is not known."""
    low, high = ADULT_PPB[name]
    if age_years is not None and age_years < ADULT_YEARS:
        return low - _LOWERED_PPB * (1 - age_years / ADULT_YEARS), high
    return low, high
