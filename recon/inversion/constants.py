"""Constants of the published inversion methods that were tuned on data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class InversionConstants:
    """Tuned for least mean NRMSE over simulated heads at 2 mm that serve nothing else.

    ``Purpose.TUNING``: healthy 0, lesion 1, 7t 2, oblique 3; from the true field, on the brain without erosion.
    """

    tikhonov_regularisation: float = 0.008
    """λ; searched 0.002 0.004 0.008 0.015. After V-SHARP 67.2 %, iSMV 65.3 %, harmonic extension 57.5 %."""
    tkd_threshold: float = 0.2
    """Least absolute value of the kernel that is divided by; searched 0.05 0.1 0.15 0.2."""
    tv_alpha: float = 2e-4
    """Weight of the total variation, in ppm · mm; searched 1e-4 2e-4 4e-4 (healthy, lesion, oblique)."""
    hd_qsm_alpha: float = 2e-4
    """The same of HD-QSM; searched 1e-4 2e-4 (healthy, lesion, oblique)."""
    tfi_regularisation: float = 3e-6
    """λ in ppm · mm; searched 1e-6 3e-6 1e-5 1e-4 3e-4 1e-3 (healthy, lesion)."""
    tfi_outside: float = 30.0
    """Preconditioner outside the mask; searched 3 10 30 (lesion)."""
    tgv_alpha_1: float = 1e-4
    """Weight of the first derivative, in ppm · mm; searched 5e-5 1e-4 2e-4 1e-3 (healthy, oblique)."""
    tgv_alpha_0: float = 2e-4
    """Weight of the second derivative, in ppm · mm²; always twice the other."""
    tgv_balance: float = 0.5
    """Size of the dual steps over that of the primal ones; searched 0.01 0.1 0.5 2: speed, not the solution."""


INVERSION: Final = InversionConstants()
