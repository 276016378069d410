"""What is measured of a map, and when it makes the map degraded or failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Limit:
    """When a figure makes a map degraded, when failed.

    Parameters
    ----------
    figure
        Name of the figure; one that a map does not have, such as the residual of a single echo, is not judged.
    degraded, failed
        A figure above these; below them where ``failed`` is the lower one.
    sentence
        What it means to the reader of the map; ``{value:.0f}`` is the figure.
    """

    figure: str
    degraded: float
    failed: float
    sentence: str

    def allows(self, value: float, limit: float) -> bool:
        """Say whether a value lies on the good side of a limit; one that is not a number never does."""
        return value >= limit if self.failed < self.degraded else value <= limit


@dataclass(frozen=True, kw_only=True)
class QualityConstants:
    """How streaks are measured."""

    cone: float = 0.08
    """Spatial frequencies whose kernel is smaller than this lie on the cone that the field says little about."""
    beside_cone: tuple[float, float] = (0.12, 0.2)
    """Kernel of the frequencies that the cone is compared with."""
    shell_per_mm: tuple[float, float] = (0.05, 0.25)
    """Frequencies that are compared: structures of 4 to 20 mm, where streaks show."""
    clip_ppm: float = 0.3
    """Largest value that counts: a bleed's own spectrum is not a streak."""


QUALITY: Final = QualityConstants()

# Set between the figures of good maps of six simulated heads (healthy, bleeding, oblique, single echo, 7 T, 1.5 T)
# and of maps of the same heads spoiled on purpose. Unexplained: network 20 to 67 %, inverted sign 140 to 205 %, three
# times the values 110 to 210 %. Streaks: network 0.3 to 0.5, truth 0.9 to 1.1, k-space division cut off at 0.03 2.1
# to 5.8.
LIMITS: Final = (
    Limit(
        figure="data_residual_rms_ppb",
        degraded=60.0,
        failed=200.0,
        sentence="The map explains the measured field poorly (residual {value:.0f} ppb).",
    ),
    Limit(
        figure="data_unexplained_percent",
        degraded=85.0,
        failed=105.0,
        sentence="Of what tissue adds to the field, {value:.0f} % is left unexplained (an empty map leaves 100 %).",
    ),
    Limit(
        figure="data_residual_above_100ppb_percent",
        degraded=10.0,
        failed=40.0,
        sentence="In {value:.0f} % of the brain the map misses the measured field by more than 100 ppb.",
    ),
    Limit(
        figure="streak_energy_ratio",
        degraded=2.0,
        failed=8.0,
        sentence="The map holds streaks: {value:.1f} times the usual energy at the magic angle.",
    ),
    Limit(
        figure="chi_largest_ppb",
        degraded=5000.0,
        failed=15000.0,
        sentence="The map holds values of {value:.0f} ppb, which brain tissue does not reach.",
    ),
    Limit(
        figure="chi_sd_ppb",
        degraded=200.0,
        failed=600.0,
        sentence="The map's values spread by {value:.0f} ppb, far more than tissue does.",
    ),
)
