"""Constants of the way from phase to field that were tuned on data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class FieldConstants:
    """Tuned on simulated heads and patients that serve nothing else (``Purpose.TUNING``) unless said otherwise."""

    # Input checks
    alternating_cosine: float = -0.2
    """Mean cosine of the phase step from plane to plane below which every second one has the opposite sign. Neighbours
    in antiphase give about -1; no shimmed field turns a whole head by half a turn per slice."""
    empty_power_share: float = 0.02
    """Power of a k-space line, relative to the middle of its band, below which it is empty."""
    zero_filled_share: float = 0.1
    """Empty share of k-space from which on interpolation is reported."""
    unexplained_spread: float = 0.97
    """Coherence of a common phase offset beyond which there is nothing that a missing echo has to explain."""
    left_by_missing_echo: float = 0.25
    """Most of an offset's incoherence that a missing echo may leave if it is to explain it."""
    fringe_strength_share: float = 0.3
    """Weight of a coarse cell, relative to strong cells, from which on a turn of the phase around it counts."""
    fringe_smoothing_mm: float = 2.0
    """Standard deviation of the Gaussian that smooths the voxels' own offsets where there are such lines. With 1.5 mm
    the field's robust error away from them rises by a quarter in a 7 T head; with 2.5 that beside them doubles."""

    # Phase offsets
    offset_smoothing_mm: float = 10.0
    """Standard deviation of the Gaussian; half of it is used before the phase of the cells is unwrapped. Offsets of
    coils change over centimetres."""
    intercept_smoothing_mm: float = 3.0
    """Least standard deviation of the Gaussian that smooths intercepts: four rounds of it flatten waves of 25 mm by
    less than a hundredth. Where voxels are coarse, a narrower one brings more from strong sources to the rim than it
    takes away: of errors above 50 ppb in a head with bleeds (2 mm) 0.158 % of the brain instead of 0.122 with 4 mm."""
    intercept_cell_share: float = 0.67
    """Size of the cells on which intercepts are smoothed, over that standard deviation."""
    intercept_rounds: int = 4
    """Rounds of smoothing."""
    intercept_variance_share: float = 0.02
    """Most that the noise of the smoothed intercept may add to the field's variance; sets the Gaussian's width."""
    intercept_outlier_ratio: float = 9.0
    """Squared deviation, over the median one, at which a voxel's intercept counts a quarter."""
    uneven_echo_rad: float = 0.1
    """RMS of an echo's own constant and ramp from which on they are removed and reported: at most 0.03 in simulated
    scans with receive arrays and eddy currents, 0.4 and more in the public reports."""
    slice_step_rad: float = 0.3
    """By how much the mean phase step between two slices has to differ from the steps before and after it, for the
    slices to have offsets of their own: at most 0.1 in simulated scans, 0.6 and more in the public reports."""
    uneven_slices_share: float = 0.2
    """Share of the steps that stand out, by a third of that, from which on every slice has an offset of its own: 0.46
    to 0.97 with random and alternating ones of 0.15 to 0.6 rad, at most 0.04 without."""
    weak_cell_share: float = 0.03
    """Cells below this share of the strong cells' weight are ignored."""
    bipolar_ramp_rad: float = 0.3
    """Least 5th-to-95th percentile span of the ramp between odd and even echoes that counts as bipolar."""
    bipolar_explained_share: float = 0.5
    """Least share of that difference's variance that the ramp has to explain."""
    strong_source_ppm: float = 0.2
    """Sources beyond this are bleeds and calcifications, which may lie so that their field looks like a single echo's
    offset."""
    strong_source_regularisation: float = 0.02
    """Tikhonov λ of the map in which strong sources are found."""
    bowl_regularisation: float = 0.1
    """Tikhonov λ of the map in which the ``r²`` term of a single echo's offset is measured: wide and smooth."""
    strong_source_rounds: int = 2
    """How often the strong sources are found again without what the offset adds."""
    bowls_of_tissue_ppm: float = 0.0025
    """RMS, in the local field, of what tissue alone makes of the bowls beyond ``r²``: 0.001 to 0.003 in tuning heads,
    in slabs and blocks of them down to 200 ml, whatever the noise; combined arrays reach 0.005."""

    # Fit
    dephasing_rad: float = 0.5
    """Standard deviation of the phase of an echo until whose time the field changes by one turn across the voxel; it
    grows with the square of the turns. With it 93 to 99 % of errors are within two standard deviations of the field at
    any steepness, from 0 to 800 ppb per voxel, at 1 and 2 mm; with 1.0 noise is overstated twofold in steep fields."""
    refinements: int = 3
    """Complex Gauss-Newton steps after the linear fit; the fit has converged."""
    uncertain_residual_rad: float = 0.8
    """RMS residual beyond which a voxel's unwrapping in time is doubted; uniform noise has π/√3 = 1.8."""
    refit_tie_ratio: float = 1.1
    """How much larger the residual may be at a field like the neighbours': in noise every field fits about equally
    badly."""
    reliable_residual_rad: float = 0.3
    """Residual at which the reliability has halved (Consensus, doi:10.1002/mrm.30006, excludes beyond it)."""

    # Noise
    least_power: float = 1.5
    """Power of a neighbourhood of 27 voxels, relative to that of noise alone, which scatters by a fifth."""
    least_signal_share: float = 0.1
    """Share of a voxel's information that is left at least when the noise's own is subtracted."""
    excess_of_chance: float = 3.0
    """Squared residual over its expectation from which on the echoes disagree beyond chance."""

    # Reliability. Searched: 0.03 to 0.13 turns on single echoes, a turn of which is 0.11 to 0.65 ppm. Several echoes,
    # whose first has a turn too wide to go wrong, only lose by doubt of this kind. Islands of 50 voxels and more, which
    # ten of the tuning heads have, change none of them by more than 0.1 points of NRMSE.
    useless_ppm: float = 0.05
    """Noise of the field from which on its value is not used."""
    doubtful_turns: float = 0.045
    """Noise of a single echo, in turns of its phase, from which on a value may be doubted."""
    doubtful_ratio: float = 3.0
    """Between the two, the noise of a doubtful voxel over the median. Such a voxel has lost most of the brain's signal:
    it lies in a void, where phase is unwrapped a turn off more often than not."""
    open_share: float = 0.25
    """Share of a void's surface outside the mask from which on it is a dropout: 0.3 to 0.37 of most that tuning heads
    have, 0.02 to 0.11 of the voids of bleeds that reach the surface in tuning patients. 0.3 missed too many."""
    dropout_mm: float = 2.5
    """Half the breadth from which on an open void is kept as a bleed: a dropout is thin."""

    # Plausibility, set between the values of good heads and of heads spoiled on purpose
    clearly_inverted: float = -0.35
    """Correlation with the head's own field below which the polarity is wrong beyond doubt."""
    coherence_cell_mm: float = 16.0
    """Size of the cells in which the phase of the last echo is averaged: a high-pass filter leaves nothing as wide."""
    filtered_incoherence: float = 0.1
    """What these cells' coherence lacks of 1, from 50 ms·T on, in filtered phase: 0 to 0.05 with homodyne windows of
    10 % of the lines and more, in unfiltered heads and slabs of 20 to 60 mm 0.11 and more."""
    filtered_ratio: float = 0.3
    """Smooth field (shim orders removed) over that of the head's own shape in filtered phase: 0.02 to 0.14 with the
    same filters, in unfiltered whole heads 0.38 and more, in slabs 0.18 and more."""
    filtered_sum: float = 1.25
    """Sum of both, each over its limit, below which the phase was filtered beyond doubt: 0.03 to 1.05 with the same
    filters, 0.2 to 2.0 with a window of 16 lines; unfiltered 1.7 and more, in whole heads 5.8 and more."""
    filter_blind_ml: float = 240.0
    """Volume below which even an unfiltered field may be that flat."""


FIELD: Final = FieldConstants()
