"""What is missing by the counts that the scanner states: losing the last echoes or slices leaves no gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from dicom_io.source.acquisition.grid import SliceGrid
from dicom_io.source.components import Component
from dicom_io.source.header import ImageHeader

_SPACING_TOLERANCE: Final = 0.02
"""Relative difference of distances and echo times that are stated in few digits."""


def missing_by_count(grid: SliceGrid, used: Sequence[ImageHeader], headers: Sequence[ImageHeader]) -> tuple[str, ...]:
    """Say in words what is missing by the scanner's own counts; nothing if no count is stated.

    Where images of one acquisition state different counts, the smallest is used. ``used`` are the images that are
    reconstructed, ``headers`` all images of the acquisition.
    """
    missing = _missing_echoes(grid, used)
    slices, found = _smallest(header.declared_slices for header in used), len(grid.positions_mm)
    if found < slices:
        missing += (f"{slices - found} of {slices} slices of every echo",)
    return missing or _missing_images(grid, headers)


def missing_between(grid: SliceGrid, used: Sequence[ImageHeader]) -> tuple[str, ...]:
    """Say in words that slices are missing evenly between others, by SpacingBetweenSlices; nothing if they are not.

    Some scanners state the gap between slices instead of the distance of their centres: that is less than
    SliceThickness, and the distance is the sum of both.
    """
    stated_mm = min((h.spacing_between_slices_mm for h in used if h.spacing_between_slices_mm), default=0.0)
    thickness_mm = used[0].slice_thickness_mm or 0.0
    if stated_mm <= 0 or (stated_mm < 0.99 * thickness_mm and _close(grid.spacing_mm, thickness_mm + stated_mm)):
        return ()
    steps = round(grid.spacing_mm / stated_mm)
    if steps < 2 or not _close(grid.spacing_mm, steps * stated_mm):
        return ()
    found = f"slices are {grid.spacing_mm:.3g} mm apart, and SpacingBetweenSlices is {stated_mm:.3g} mm"
    return (f"{steps - 1} of {steps} slices ({found})",)


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= _SPACING_TOLERANCE * b


def without_means(headers: Sequence[ImageHeader]) -> list[ImageHeader]:
    """Leave out the mean of the echoes, where a scanner stores it as the magnitude of another one.

    It has no phase, and either echo number 0, or the mean of the other echo times and a number that is not its own, or
    it is a series without any echo time beside others that state them. Phase is never left out.
    """
    timed = {header.series_instance_uid for header in headers if header.echo_time_s}
    if any(header.component is Component.MAGNITUDE and header.series_instance_uid in timed for header in headers):
        headers = [h for h in headers if h.component is not Component.MAGNITUDE or h.series_instance_uid in timed]
    phase = {header.echo_time_s for header in headers if header.component is not Component.MAGNITUDE}
    numbers = Counter({(header.echo_time_s, header.echo_number) for header in headers})
    times = [time for time in phase if time is not None]
    uses = Counter(number for _, number in numbers)
    declared = _smallest(header.declared_echoes for header in headers)

    def is_mean(header: ImageHeader) -> bool:
        if header.component is not Component.MAGNITUDE or header.echo_number == 0:
            return header.component is Component.MAGNITUDE and max((n or 0 for n in uses), default=0) > 0
        at_mean = len(times) > 1 and _close(header.echo_time_s or 0.0, sum(times) / len(times))
        shared_number = header.echo_number is not None and uses[header.echo_number] > 1
        return header.echo_time_s not in phase and at_mean and (shared_number or len(times) == declared)

    return [header for header in headers if not is_mean(header)]


def is_counted(grid: SliceGrid, headers: Sequence[ImageHeader]) -> bool:
    """Whether the scanner says how many images there are, so that a grid without gaps is known to be all of them.

    Every image states how many slices and echoes there are (a multi-frame object holds all its slices); or there are
    several echoes, all in one object, or in just as many images as ImagesInAcquisition. That number proves nothing of a
    single echo: it may be that of an echo, a volume or a series.
    """
    if all((header.declared_slices or header.is_frame) and header.declared_echoes for header in headers):
        return True
    counts, objects = {header.declared_images for header in headers}, {header.sop_instance_uid for header in headers}
    return len(grid.echo_times_s) > 1 and (counts == {len(headers)} or len(objects) == 1)


def _missing_echoes(grid: SliceGrid, headers: Sequence[ImageHeader]) -> tuple[str, ...]:
    """Gaps in EchoNumbers, and echoes missing from the stated count: a lost echo leaves no other trace."""
    declared = _smallest(header.declared_echoes for header in headers)
    numbers = {header.echo_number for header in headers if header.echo_number is not None}
    gaps = sorted(set(range(1, max(numbers | {declared}) + 1)) - numbers) if numbers else []
    found = len(grid.echo_times_s)
    # Numbers are used only where they agree with the count; some scanners number every echo 1.
    if numbers and (found + len(gaps) <= declared or max(numbers) >= declared):
        return tuple(f"echo {number}: all images" for number in gaps)
    return (f"{declared - found} of {declared} echoes",) if found < declared else ()


def _missing_images(grid: SliceGrid, headers: Sequence[ImageHeader]) -> tuple[str, ...]:
    """Compare ImagesInAcquisition with what it may count.

    It is the number of images "that resulted from this acquisition" (PS3.3 C.7.6.1), which scanners take for
    those of the acquisition, of a series, of an echo or of a volume, over all repetitions or for each. Any of
    these that fits is accepted. A meaning under which there are more images than declared is ruled out; images are
    missing if all the others require more.
    """
    declared = _smallest(header.declared_images for header in headers)
    repetitions = max(_smallest(header.temporal_positions for header in headers), 1)
    found = _countable(grid, headers)
    if found & {declared, declared * repetitions, declared / repetitions}:
        return ()
    nearest = max((count for count in found if count < declared), default=0)
    return (f"{declared - nearest} of {declared} images, by ImagesInAcquisition",) if nearest else ()


def _countable(grid: SliceGrid, headers: Sequence[ImageHeader]) -> set[int]:
    slices, echoes = len(grid.positions_mm), len(grid.echo_times_s)
    components = len({header.component for header in headers if header.component is not None})
    volumes = {slices, slices * echoes, slices * components, slices * echoes * components}
    series = Counter(header.series_instance_uid for header in headers)
    return volumes | {len(headers), min(series.values())}


def _smallest(counts: Iterable[int | None]) -> int:
    """Smallest count that is stated; 0 if none is. Scanners write 0 where they state none."""
    return min((count for count in counts if count is not None and count > 0), default=0)
