"""How each recommendation is measured on a protocol, and the limits that it is compared with.

Each function returns what was found and the level, or None where the recommendation does not apply. The consensus
states most recommendations without a number; ``dicom_io.protocol.limits`` says which limits are ours.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from dicom_io.protocol.facts import ProtocolFacts
from dicom_io.protocol.limits import LIMITS
from recon.types import GAMMA_HZ_PER_TESLA


class Level(StrEnum):
    """How good a protocol is in one respect."""

    FINE = "fine"
    COSTS = "costs accuracy"
    CHANGE = "must change"
    UNSTATED = "not stated"


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the headers state, in words, and how good it is."""

    level: Level
    found: str


_FAT_PPM: Final = 3.45
_NOT_STATED: Final = Judgement(level=Level.UNSTATED, found="not stated")


def _judged(is_fine: bool, found: str) -> Judgement:
    return Judgement(level=Level.FINE if is_fine else Level.COSTS, found=found)


def _stated(is_fine: bool | None, fine: str, costly: str) -> Judgement:
    """Judge a setting that a header states as on, off or not at all."""
    return _NOT_STATED if is_fine is None else _judged(is_fine, fine if is_fine else costly)


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.4g} ms"


def field_strength(facts: ProtocolFacts) -> Judgement:
    """Field strength."""
    if facts.b0_tesla is None:
        return Judgement(level=Level.CHANGE, found="missing, or frequency and label disagree")
    return _judged(facts.b0_tesla >= LIMITS.b0_tesla, f"{facts.b0_tesla:.3g} T")


def images_stored(facts: ProtocolFacts) -> Judgement:
    """Whether every echo has magnitude and phase."""
    echoes = max(1, len(facts.echo_times_s))
    level = Level.FINE if facts.whole_echoes >= echoes and not facts.is_difference else Level.CHANGE
    found = f"{facts.whole_echoes} of {echoes} echoes with magnitude and phase"
    return Judgement(level=level, found="phase differences" if facts.is_difference else found)


def phase_filter(facts: ProtocolFacts) -> Judgement:
    """Whether the phase was filtered."""
    if facts.filter_hint:
        return Judgement(level=Level.CHANGE, found=f"marked {facts.filter_hint}")
    if facts.weighted_beside:
        return _judged(is_fine=False, found="not marked; SWI is stored beside it")
    return _stated(None if facts.settings.filtered is None else False, "", "image filter on")


def encoding(facts: ProtocolFacts) -> Judgement:
    """Whether slices are encoded in three dimensions."""
    return _judged(facts.encoding == "3D", facts.encoding) if facts.encoding else _NOT_STATED


def spoiling(facts: ProtocolFacts) -> Judgement:
    """Whether the gradient echo is spoiled."""
    return _stated(facts.is_spoiled, "spoiled", "not spoiled")


def echo_count(facts: ProtocolFacts) -> Judgement:
    """Count the echoes."""
    count = len(facts.echo_times_s)
    if not count:
        return Judgement(level=Level.CHANGE, found="no echo times")
    return _judged(count >= LIMITS.echoes, f"{count} echo{'es' if count > 1 else ''}")


def first_echo(facts: ProtocolFacts) -> Judgement | None:
    """First echo time."""
    if not facts.echo_times_s:
        return None
    return _judged(facts.echo_times_s[0] <= LIMITS.first_echo_s, _ms(facts.echo_times_s[0]))


def last_echo(facts: ProtocolFacts) -> Judgement | None:
    """Last echo time beside T2* of the brain: from the putamen, where it is shortest, to cortical grey matter.

    1/T2* grows about linearly with the field between measurements at 1.5, 3 and 7 T (10.1016/j.mri.2007.02.014): 55,
    31 and 16 ms in the putamen, 84, 66 and 33 ms in grey matter.
    """
    if not facts.echo_times_s or facts.b0_tesla is None:
        return None
    shortest_s, longest_s = 1 / (6.0 + 8.0 * facts.b0_tesla), 1 / (6.3 + 3.4 * facts.b0_tesla)
    low_s, high_s = LIMITS.last_echo[0] * shortest_s, LIMITS.last_echo[1] * longest_s
    last_s = facts.echo_times_s[-1]
    return _judged(low_s <= last_s <= high_s, f"{_ms(last_s)}; {1e3 * low_s:.0f} to {1e3 * high_s:.0f} ms is best")


def even_spacing(facts: ProtocolFacts) -> Judgement | None:
    """Whether echoes are evenly spaced."""
    steps_s = _echo_steps(facts)
    if len(steps_s) < 2:
        return None
    if max(steps_s) - min(steps_s) <= LIMITS.spacing_s:
        return _judged(is_fine=True, found=f"every {_ms(steps_s[0])}")
    return _judged(is_fine=False, found=f"{1e3 * min(steps_s):.4g} to {_ms(max(steps_s))}")


def short_spacing(facts: ProtocolFacts) -> Judgement | None:
    """Count the turns of the phase between echoes for a field of 1 ppm."""
    steps_s = _echo_steps(facts)
    if not steps_s or facts.b0_tesla is None:
        return None
    turns = 1e-6 * GAMMA_HZ_PER_TESLA * facts.b0_tesla * max(steps_s)
    return _judged(turns <= LIMITS.turns_per_ppm, f"{turns:.2g} turns per ppm")


def _echo_steps(facts: ProtocolFacts) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(facts.echo_times_s)]


def readout(facts: ProtocolFacts) -> Judgement | None:
    """Polarity of the readout gradient; two bipolar echoes cannot be told from an offset."""
    stated, echoes = facts.settings.readout, len(facts.echo_times_s)
    if echoes < 2:
        return None
    if not stated:
        return _NOT_STATED
    if stated == "bipolar" and echoes < LIMITS.echoes:
        return Judgement(level=Level.CHANGE, found=f"bipolar, {echoes} echoes")
    return _judged(stated == "monopolar", stated)


def voxel_size(facts: ProtocolFacts) -> Judgement:
    """Longest edge of a voxel."""
    if facts.voxel_size_mm is None:
        return _NOT_STATED
    size = " x ".join(f"{edge:.3g}" for edge in facts.voxel_size_mm)
    return _judged(max(facts.voxel_size_mm) <= LIMITS.edge_mm, f"{size} mm")


def isotropy(facts: ProtocolFacts) -> Judgement:
    """Ratio of the longest to the shortest edge of a voxel."""
    if facts.voxel_size_mm is None:
        return _NOT_STATED
    ratio = max(facts.voxel_size_mm) / min(facts.voxel_size_mm)
    return _judged(ratio <= LIMITS.anisotropy, f"longest edge {ratio:.3g} times the shortest")


def slices(facts: ProtocolFacts) -> Judgement:
    """Gaps between slices, or interpolation along them."""
    if facts.reason == "slice-gaps":
        return Judgement(level=Level.CHANGE, found="gaps")
    if facts.voxel_size_mm is None or not facts.thickness_mm:
        return _NOT_STATED
    distance_mm, thickness_mm = facts.voxel_size_mm[2], facts.thickness_mm
    found = f"{distance_mm:.3g} mm apart, {thickness_mm:.3g} mm thick"
    return _judged(distance_mm <= LIMITS.gap * thickness_mm and thickness_mm < LIMITS.overlap * distance_mm, found)


def interpolation(facts: ProtocolFacts) -> Judgement:
    """Zero-filling in plane."""
    if facts.zero_filling is None:
        return _NOT_STATED
    is_fine = facts.zero_filling < LIMITS.zero_filling
    return _judged(is_fine, "none" if is_fine else f"{facts.zero_filling:.2g}-fold")


def partial_fourier(facts: ProtocolFacts) -> Judgement:
    """Partial Fourier acquisition and partial echoes."""
    partial = facts.settings.partial_fourier
    return _stated(None if partial is None else not partial, "full k-space", "partial")


def corners(facts: ProtocolFacts) -> Judgement:
    """Corners of k-space that an elliptical shutter leaves out."""
    return _stated(False if facts.settings.corners_left_out else None, "", "corners left out")


def bandwidth(facts: ProtocolFacts) -> Judgement:
    """Shift of fat by the readout bandwidth."""
    if not facts.bandwidth_hz or facts.b0_tesla is None:
        return _NOT_STATED
    shift = _FAT_PPM * 1e-6 * GAMMA_HZ_PER_TESLA * facts.b0_tesla / facts.bandwidth_hz
    low, high = LIMITS.fat_shift_pixels
    return _judged(low <= shift <= high, f"{facts.bandwidth_hz:.0f} Hz, fat shifted {shift:.2g} pixels")


def flip_angle(facts: ProtocolFacts) -> Judgement:
    """Steady-state signal at the flip angle, of its maximum at the Ernst angle.

    T1 of grey and white matter, 1.2 s at 3 T between them, grows with about the cube root of the field.
    """
    if not facts.flip_angle_degrees or not facts.repetition_time_s or facts.b0_tesla is None:
        return _NOT_STATED
    decay = math.exp(-facts.repetition_time_s / (1.2 * (facts.b0_tesla / 3.0) ** (1 / 3)))
    ernst = math.acos(decay)

    def signal(angle: float) -> float:
        return math.sin(angle) * (1 - decay) / (1 - decay * math.cos(angle))

    share = signal(math.radians(facts.flip_angle_degrees)) / signal(ernst)
    found = f"{facts.flip_angle_degrees:.3g}°, Ernst angle {math.degrees(ernst):.0f}°"
    return _judged(share >= LIMITS.signal, found)


def flow_compensation(facts: ProtocolFacts) -> Judgement:
    """Flow compensation."""
    return _stated(facts.settings.flow_compensated, "on", "off")


def coverage(facts: ProtocolFacts) -> Judgement:
    """Shortest edge of the volume."""
    if facts.extent_mm is None:
        return _NOT_STATED
    size = " x ".join(f"{edge:.0f}" for edge in facts.extent_mm)
    return _judged(min(facts.extent_mm) >= LIMITS.extent_mm, f"{size} mm")


def direction(facts: ProtocolFacts) -> Judgement:
    """Direction of the main field; every known one is fine, for the inversion uses it."""
    if facts.tilt_degrees is None:
        return Judgement(level=Level.CHANGE, found="unknown")
    return _judged(is_fine=True, found=f"slices tilted {facts.tilt_degrees:.0f}°")


def distortion(facts: ProtocolFacts) -> Judgement:
    """Distortion correction of the phase."""
    return _stated(facts.distortion == "ND" if facts.distortion else None, "off", facts.distortion)


def coil_combination(facts: ProtocolFacts) -> Judgement:
    """How the images of the coil elements were combined."""
    if facts.reason == "uncombined-coils":
        return Judgement(level=Level.CHANGE, found="not combined")
    stated = facts.settings.coil_combination
    return _judged(stated == "adaptive combine", stated) if stated else _NOT_STATED
