"""From a multi-echo acquisition to the total field, on one screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from recon.errors import InvalidInputError
from recon.field import input_checks as faults
from recon.field.fit import FieldFit, first_guess, fit_field
from recon.field.noise import field_noise, noise_level
from recon.field.offsets.bipolar import bipolar_offsets
from recon.field.offsets.mcpc3ds import Offsets, monopolar_offsets, no_offsets
from recon.field.offsets.single_echo import remove_offset
from recon.field.plausibility import judge_field
from recon.field.refit import regrow_uncertain
from recon.field.template import choose_template
from recon.masking.head import head_mask
from recon.masking.rim import LEAST_QUALITY, BrainMask, clean, find_brain, finish_mask
from recon.masking.surface_bleeds import surface_bleeds
from recon.types import GAMMA_HZ_PER_TESLA, BoolArray, FloatArray, GradientEcho, TotalField

_RELIABLE_RESIDUAL_RAD = 0.3
"""Residual of the fit at which the reliability has halved (Consensus, doi:10.1002/mrm.30006, excludes beyond it)."""


def rad_per_s_of_one_ppm(b0_tesla: float) -> float:
    """Return the angular frequency of a field of 1 ppm."""
    return 2 * np.pi * GAMMA_HZ_PER_TESLA * b0_tesla * 1e-6


@dataclass(frozen=True, kw_only=True)
class PhaseFit:
    """All that the phase says, before anything is known of the brain.

    Parameters
    ----------
    fit
        Field, residual and information inside the head.
    offsets
        Phase offsets of the echoes.
    quality
        ``(x, y, z)`` float32 in 0..1, ROMEO's quality of the template lowered by the residual of the
        fit.
    warnings
        In sentences.
    figures
        Named, the unit in the name.
    """

    fit: FieldFit
    offsets: Offsets
    quality: FloatArray
    warnings: tuple[str, ...]
    figures: dict[str, float]


def fit_phase(
    echoes: GradientEcho,
    head: BoolArray,
    *,
    core: BoolArray | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> PhaseFit:
    """Unwrap all echoes inside the head, remove their offsets, and fit the field.

    Parameters
    ----------
    echoes
        One echo or more.
    head
        ``(x, y, z)`` bool, where there is signal.
    core
        ``(x, y, z)`` bool, where offsets are estimated: the brain, if it is known. Scalp and muscle
        hang together with the brain by few voxels or none, and their phase may be off by 2π.
    progress
        Called with the name of each step as it starts.
    """
    template = choose_template(echoes, head)
    progress("unwrap")
    unwrapped = template.unwrapped(echoes, head)
    progress("phase offsets")
    core = head if core is None else core
    offsets, warnings, figures = no_offsets(echoes), [], {}
    count = len(echoes.echo_times_s)
    if count > 1:
        offsets, phasors = monopolar_offsets(echoes, template, unwrapped.phase_rad, core)
        warnings += faults.fringe_lines(phasors, offsets.coarse)
    if count > 2:
        bipolar = bipolar_offsets(echoes, template, unwrapped.phase_rad, core)
        figures["bipolar_ramp_span_rad"] = bipolar.ramp_span_rad
        if bipolar.detected:
            offsets = bipolar.offsets
            warnings.append(
                "Bipolar readout: odd and even echoes differ by a phase ramp of "
                f"{bipolar.ramp_span_rad:.1f} rad, which was removed."
            )
    progress("combine echoes")
    quality, guess = unwrapped.quality, first_guess(unwrapped.phase_rad, template, offsets)
    del unwrapped
    fit = fit_field(echoes, guess, offsets, head)
    figures["regrown_share_percent"] = 100 * regrow_uncertain(echoes, fit, offsets, core) / max(1, int(core.sum()))
    if count > 1:
        quality /= 1 + (fit.residual_rad / np.float32(_RELIABLE_RESIDUAL_RAD)) ** 2
    return PhaseFit(fit=fit, offsets=offsets, quality=quality, warnings=tuple(warnings), figures=figures)


def _with_surface_bleeds(
    brain: BrainMask, drawn: BoolArray | None, echoes: GradientEcho, phase: PhaseFit, head: BoolArray
) -> BrainMask:
    """Return a brain mask with the bleeds at its surface that were taken for bone or for a dropout."""
    if drawn is None or not brain.mask.any():
        return brain
    field_ppm = phase.fit.field_rad_per_s / np.float32(rad_per_s_of_one_ppm(echoes.b0_tesla))
    poor = ~head | (phase.quality < LEAST_QUALITY)
    bleeds = surface_bleeds(field_ppm, brain=brain.mask, drawn=drawn, poor=poor, grid=echoes.grid)
    if not bleeds.any():
        return brain
    volume_ml = float(bleeds.sum()) * echoes.grid.voxel_volume_mm3 / 1000
    warning = (
        f"A void of {volume_ml:.1f} ml at the surface of the extracted brain was taken into the mask: "
        "the field or the brain around it is that of a bleed."
    )
    return replace(brain, mask=clean(brain.mask | bleeds), warnings=(*brain.warnings, warning))


def _given_mask(phase: PhaseFit, given: BoolArray) -> BrainMask:
    """Return the mask that was handed in, less voxels without signal."""
    silent = given & ~(phase.fit.information > 0)
    warnings = []
    if np.any(silent):
        warnings.append(f"{int(silent.sum())} voxels of the mask have no signal in any echo and were left out of it.")
    return BrainMask(mask=given & ~silent, method="given", warnings=tuple(warnings))


def _figures(echoes: GradientEcho, phase: PhaseFit, mask: BoolArray, noise_ppm: FloatArray) -> dict[str, float]:
    figures = dict(phase.figures)
    figures["mask_volume_ml"] = float(mask.sum()) * echoes.grid.voxel_volume_mm3 / 1000
    figures["field_noise_median_ppm"] = float(np.median(noise_ppm[mask]))
    figures["phase_quality_median"] = float(np.median(phase.quality[mask]))
    figures["phase_quality_below_half_percent"] = 100 * float(np.mean(phase.quality[mask] < 0.5))
    if len(echoes.echo_times_s) > 1:
        figures["linear_fit_residual_median_rad"] = float(np.median(phase.fit.residual_rad[mask]))
    return figures


def total_field(
    echoes: GradientEcho,
    *,
    mask: BoolArray | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> TotalField:
    """Return the total field of a gradient-echo acquisition.

    Parameters
    ----------
    echoes
        One echo or more; arrays ``(echo, x, y, z)``, phase in radians, times in seconds.
    mask
        ``(x, y, z)`` bool, where the field is wanted; None looks for the brain.
    progress
        Called with the name of each step as it starts.

    Returns
    -------
    TotalField
        Field in ppm relative to the carrier, with quality, noise, warnings and figures.

    Raises
    ------
    InvalidInputError
        If the data cannot be what they are said to be, or hold no usable phase.

    References
    ----------
    Dymerska et al., doi:10.1002/mrm.28563 (ROMEO); Eckstein et al., doi:10.1002/mrm.26963 (MCPC-3D-S);
    consensus of the field, doi:10.1002/mrm.30006.
    """
    progress("check the phase")
    faults.refuse_unusable(echoes, mask)
    head = head_mask(echoes.magnitude[0])
    faults.refuse_slice_chopper(echoes, head)
    warnings = faults.zero_filling(echoes)
    if mask is None:
        progress("brain mask")
        found = find_brain(echoes, head)
        phase = fit_phase(echoes, head, core=found.brain, progress=progress)
        brain = _with_surface_bleeds(finish_mask(echoes, found, phase.quality), found.drawn, echoes, phase, head)
    else:
        phase = fit_phase(echoes, head | mask, core=mask, progress=progress)
        brain = _given_mask(phase, mask)
    if not brain.mask.any():
        raise InvalidInputError("the mask is empty: no voxel has signal and a reliable phase")
    if len(echoes.echo_times_s) > 1:
        odd, even = phase.offsets.volumes()
        if odd is even:
            faults.refuse_phase_difference(odd, phase.fit.field_rad_per_s, brain.mask, echoes.echo_times_s[-1])
    progress("judge the field")
    return _finish(echoes, phase, brain, warnings)


def _ppm_per_2pi(echoes: GradientEcho) -> float | None:
    """Return the field that a turn of a single echo's phase stands for."""
    if len(echoes.echo_times_s) > 1:
        return None
    return 2 * np.pi / echoes.echo_times_s[0] / rad_per_s_of_one_ppm(echoes.b0_tesla)


def _finish(echoes: GradientEcho, phase: PhaseFit, brain: BrainMask, warnings: list[str]) -> TotalField:
    """Judge the field, bring it to ppm, and set everything to zero outside the mask."""
    mask, grid = brain.mask, echoes.grid
    one_ppm = np.float32(rad_per_s_of_one_ppm(echoes.b0_tesla))
    field_ppm = phase.fit.field_rad_per_s
    field_ppm /= one_ppm
    noise_ppm = field_noise(echoes, phase.fit, mask, noise_level(echoes, phase.fit, mask)) / one_ppm
    ppm_per_2pi = _ppm_per_2pi(echoes)
    if ppm_per_2pi is not None:
        warnings = [*warnings, remove_offset(field_ppm, phase.quality, noise_ppm, mask, grid, ppm_per_2pi)]
    judged = judge_field(echoes, field_ppm, brain)
    field_ppm[~mask] = 0
    quality = phase.quality
    quality[~mask] = 0
    return TotalField(
        field_ppm=field_ppm,
        mask=mask,
        quality=quality,
        noise_ppm=noise_ppm,
        grid=grid,
        ppm_per_2pi=ppm_per_2pi,
        mask_method=brain.method,
        warnings=(*warnings, *phase.warnings, *brain.warnings, *judged.warnings),
        figures=_figures(echoes, phase, mask, noise_ppm) | judged.figures,
    )
