"""What is measured of a map, and when it makes the map degraded or failed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
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

# Of the map: set between the figures of good maps of six simulated heads (healthy, bleeding, oblique, single echo,
# 7 T, 1.5 T) and of maps of the same heads spoiled on purpose. Unexplained: network 20 to 67 %, inverted sign 140 to
# 205 %, three times the values 110 to 210 %. Streaks: network 0.3 to 0.5, truth 0.9 to 1.1, k-space division cut off
# at 0.03 2.1 to 5.8.
LIMITS: Final = (
    Limit(
        figure="data_residual_rms_ppb",
        degraded=60.0,
        failed=100.0,
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
        degraded=400.0,
        failed=600.0,
        sentence="The map's values spread by {value:.0f} ppb, far more than tissue does.",
    ),
    # Of the field. Poor phase: 4 % in a real brain, 5 % in heads of another simulator of 1 mm, up to 50 % in voxels of
    # 2 mm, whose maps are as good; 45 % in one of 1 mm with an SNR of 13, which must not pass. Jumps: up to 0.4 of 1000
    # in ordinary tuning scans, 0.8 in the smallest ruined one. Fringe lines: up to 57 mm in tuning scans whose maps are
    # as good as those of the same head without, 1000 mm and more in ruined ones; they make an echo seem shifted by up
    # to 1.8 mm, where a head that moved ruined a map by 8. Step of the field between slices: 1 to 12 ppb in good tuning
    # heads, heads of another simulator and a real brain, 60 and more with slabs 5 Hz apart. Error of the echo times: at
    # least 0 to 0.8 ms, with the times of the echo before more than 1.0 in 32 of 35; R2* off by 1.5 at most; magnitude
    # beside phase: at most 4.4 mm, and less overlap when mirrored. Ghosts: 0 to 20 ppb in tuning heads, whose breathing
    # is that of healthy volunteers (at most 16 ppb in the middle of the brain, 2 Hz at 3 T), 0 to 1 in a real brain and
    # in heads of another simulator, which do not breathe.
    Limit(
        figure="fit_residual_excess_rad",
        degraded=0.065,
        failed=0.6,
        sentence="The echoes contradict each other by {value:.2f} rad beyond noise: the field may be wrong.",
    ),
    Limit(
        figure="phase_quality_below_half_percent",
        degraded=40.0,
        failed=90.0,
        sentence="The phase is poor in {value:.0f} % of the brain.",
    ),
    Limit(
        figure="unreliable_percent",
        degraded=10.0,
        failed=50.0,
        sentence="In {value:.0f} % of the brain the field means nothing.",
    ),
    Limit(
        figure="field_jumps_permille",
        degraded=0.6,
        failed=20.0,
        sentence="The field jumps by half a turn at {value:.1f} of 1000 neighbours: unwrapping may have failed.",
    ),
    Limit(
        figure="open_fringe_lines_left_mm",
        degraded=100.0,
        failed=inf,
        sentence="The phase has open-ended fringe lines ({value:.0f} mm in all), as when coils are combined without "
        "their phases: the field is wrong along them.",
    ),
    Limit(
        figure="slice_step_left_rad",
        degraded=0.3,
        failed=inf,
        sentence="The phase steps by {value:.1f} rad between slices or slabs, which may not be all removed.",
    ),
    Limit(
        figure="slice_coherence_drop",
        degraded=0.2,
        failed=inf,
        sentence="Neighbouring slices do not belong together, or the phase of some is inverted.",
    ),
    Limit(
        figure="slice_field_step_ppb",
        degraded=25.0,
        failed=inf,
        sentence="The field steps by {value:.0f} ppb between slices or slabs, as when they were acquired one by one.",
    ),
    Limit(
        figure="ghost_field_ppb",
        degraded=22.0,
        failed=inf,
        sentence="Beside the head there are ghosts of it, as if the field fluctuated by {value:.0f} ppb during the "
        "scan (breathing): they lie inside the head, too.",
    ),
    Limit(
        figure="magnitude_phase_shift_mm",
        degraded=7.0,
        failed=inf,
        sentence="Magnitude and phase lie {value:.0f} mm beside each other: they may be of two scans.",
    ),
    Limit(
        figure="mirrored_overlap_gain",
        degraded=0.002,
        failed=inf,
        sentence="The phase fits the magnitude better when mirrored: one of them may be stored the other way round.",
    ),
    Limit(
        figure="echo_shift_mm",
        degraded=2.0,
        failed=inf,
        sentence="An echo lies {value:.1f} mm beside the one before it: the head moved, or it is another scan's.",
    ),
    Limit(
        figure="echo_time_error_ms",
        degraded=1.0,
        failed=inf,
        sentence="The phase at echo time zero holds the field's fine structure, as if echo times were wrong by "
        "at least {value:.1f} ms: an echo may be missing, or the phase filtered.",
    ),
    Limit(
        figure="r2star_off_by_factor",
        degraded=2.0,
        failed=inf,
        sentence="By the stated echo times the signal decays {value:.1f} times too fast or too slowly for brain "
        "tissue: they may be wrong, or this is not a brain (a phantom, another part of the body).",
    ),
    # Heads of another simulator, slabs of them and two real brains: 0 to 3.9 degrees. No limit for failed until real
    # scans of low signal have been seen.
    Limit(
        figure="b0_direction_off_deg",
        degraded=7.0,
        failed=inf,
        sentence="The field suggests a direction of B0 {value:.0f} degrees from that in the headers: check the "
        "orientation of the images and the order of the slices.",
    ),
    Limit(
        figure="coverage_along_b0_mm",
        degraded=40.0,
        failed=-inf,
        sentence="The volume holds {value:.0f} mm of brain along the main field: much of the field's causes and of its "
        "effects lies outside, and the values are uncertain.",
    ),
    Limit(
        figure="single_echo_offset_uncertain_ppm",
        degraded=0.015,
        failed=inf,
        sentence="Slow changes of the field by {value:.3f} ppm may be the receive coil's.",
    ),
    Limit(
        figure="smoothness_left",
        degraded=1.7,
        failed=1.0,
        sentence="The smooth part of the field is small: the phase may have been high-pass filtered, as for SWI.",
    ),
    Limit(
        figure="head_shape_correlation",
        degraded=0.0,
        failed=-inf,
        sentence="The polarity of the phase is doubtful: the field and that of the head's own shape correlate by "
        "{value:.2f}. If veins are dark in the map, the sign is inverted.",
    ),
    Limit(
        figure="chi_of_darkest_ppb",
        degraded=-75.0,
        failed=-inf,
        sentence="What is darkest in the magnitude is diamagnetic in the map ({value:.0f} ppb): the phase's sign may "
        "be inverted.",
    ),
    Limit(
        figure="no_brain_recognised",
        degraded=0.5,
        failed=inf,
        sentence="No brain was recognised: values are relative to the mean of all tissue in the image, and how wrong "
        "they are is not estimated.",
    ),
)
