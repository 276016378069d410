"""Constants of the network's passes that were tuned on data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class NetworkConstants:
    """Tuned by the mean NRMSE from phase over heads and patients that serve nothing else (``Purpose.TUNING``).

    Healthy 800 and 810, lesion 801, oblique 802, steep 803, swi 804 and 805, 7t 806, bipolar 807, patients 2000 to
    2009; voids on patients 2000 to 2008, 2013 and 2080; what the residual shows on heads 900 to 903, 906 and 907
    without effects, with white matter's, and with all.
    """

    on_cone: float = 0.07
    """Kernel below which the field shows only what no map explains."""
    beside_cone: float = 0.15
    """Kernel from which on it shows the map's error, too."""
    longest_error_mm: float = 54.0
    """Longest wavelength at which the cone and what lies beside it can be told apart, so that a larger error of the map
    shows; searched 32 40 54 and none. Among coarser ones the mask's edge mixes both, and errors of the field pass for
    the map's."""
    shortest_error_mm: float = 8.0
    """Shortest one; at finer ones what is left is noise. Searched 8 and none."""
    most_error: float = 30.0
    """Power of the map's error over the expected one, at most; searched 4 8 30 100. Heads with large bleeds need it."""
    map_error_ppm_mm15: float = 0.35
    """Error of the network's map, per root of a volume in mm³. The power of the error was fitted to maps of validation
    heads of 0.4 to 9 ppb noise; 0.25 and 0.5 change the mean by less than 0.3 points."""
    map_error_corner_mm: float = 40.0
    """Wavelength / 2π at which that error begins to fall."""
    map_error_fall: float = 1.7
    """Exponent of its fall; 1.5 and 1.9 change the mean by less than 0.3 points."""
    doubted_residual_ppm: float = 0.1
    """Residual that counts half: a map that is tens of percent off leaves less, a field that is a turn off leaves more.
    Searched 0.05 0.1 0.3."""
    rim_mm: float = 1.5
    """How deep under the surface of the mask the field counts as one of outside sources: the mask of a brain reaches a
    voxel or two into what is not brain, and no map near the network's explains the field of that. Searched 0 1.5 2.5 3
    5 8 mm."""
    steps_per_pass: int = 2
    """Steps towards the field after every pass; searched 1 to 4. A third still gains a little, but less than it
    costs."""
    sweeps: int = 20
    """Relaxation sweeps for what the features' local field still holds of the background."""
    most_noise_turns: float = 0.31
    """Noise from which on a phase in a void says nothing, whatever the turn; searched 0.2 0.31 0.77. At 0.77 what is
    left is as evenly spread as chance would have it."""
    most_left_turns: float = 0.38
    """What a first map may leave of the field in a void at the right turn; half a turn would not be a test. Searched
    0.26, 0.38, 0.5."""
    least_void_mm3: float = 200.0
    """Regaining less than this changes a map too little to make it again."""


NETWORK: Final = NetworkConstants()
