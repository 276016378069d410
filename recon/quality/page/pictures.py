"""Volumes of a job as a browser shows them: in 8 bits at a fixed window, cut to the brain, slice by slice as PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from recon.operators.boxes import Box, mask_box
from recon.quality.page.orientation import Plane, standard_planes
from recon.quality.page.pages import HAEMORRHAGE_WINDOW_PPB, TISSUE_WINDOW_PPB, field_window_hz
from recon.quality.page.summary import magnitude_window
from recon.types import GAMMA_HZ_PER_TESLA, BoolArray, FloatArray, GradientEcho, Reconstruction

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

ByteArray = npt.NDArray[np.uint8]

_MARGIN_MM: Final = 10.0
"""Around the brain: what lies there shows whether the mask is right."""

_LONGEST_PIXELS: Final = 640
"""Length of the longest side of the box; the three planes have the same scale."""

_STORED_PIXELS: Final = 512
"""Length of the longest side of an image as it was stored."""

_SHOWN_PERCENTILES: Final = (0.5, 99.5)

_EDGE, _TEXT, _BAND = 28, 20, 34
"""Pixels around a slice, of its letters, and of the words across its top."""

_INK, _ALERT = 255, 235
_BARS_MM: Final = (100, 50, 20, 10, 5, 2, 1)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A volume to be looked at.

    Parameters
    ----------
    name
        ``"magnitude"``, ``"field"``, ``"qsm"``, ``"qsm-wide"`` or ``"swi"``.
    values
        ``(x, y, z)`` uint8, the box of the brain.
    window
        What is black and what is white, in ``unit``.
    unit
        ``"ppb"``, ``"Hz"``, or empty for values of arbitrary scale.
    """

    name: str
    values: ByteArray
    window: tuple[float, float]
    unit: str


def pictures_of(echoes: GradientEcho, reconstruction: Reconstruction) -> Iterator[Picture]:
    """Yield the first echo's magnitude, the total field and the map in two windows, as on the quality pages."""
    total, chi = reconstruction.total_field, reconstruction.susceptibility
    box = brain_box(total.mask, total.grid.voxel_size_mm)
    window = magnitude_window(echoes.magnitude[0], total.mask)
    yield Picture(name="magnitude", values=in_window(echoes.magnitude[0][box], window), window=window, unit="")
    hz_per_ppm = np.float32(GAMMA_HZ_PER_TESLA * 1e-6 * echoes.b0_tesla)
    window = field_window_hz(echoes.b0_tesla)
    yield Picture(name="field", values=in_window(total.field_ppm[box] * hz_per_ppm, window), window=window, unit="Hz")
    chi_ppb = chi.chi_ppm[box] * np.float32(1e3)
    for name, window in (("qsm", TISSUE_WINDOW_PPB), ("qsm-wide", HAEMORRHAGE_WINDOW_PPB)):
        yield Picture(name=name, values=in_window(chi_ppb, window), window=window, unit="ppb")


def swi_picture(volume: FloatArray, reconstruction: Reconstruction) -> Picture:
    """Return the susceptibility-weighted image, from 0 to the bright end of the brain, in the box of the others."""
    total = reconstruction.total_field
    window = magnitude_window(volume, total.mask)
    values = in_window(volume[brain_box(total.mask, total.grid.voxel_size_mm)], window)
    return Picture(name="swi", values=values, window=window, unit="")


def brain_box(mask: BoolArray, voxel_size_mm: Sequence[float]) -> Box:
    """Return the box of the mask and a margin around it."""
    x, y, z = (round(_MARGIN_MM / size) for size in voxel_size_mm)
    return mask_box(mask, (x, y, z))


def in_window(volume: npt.NDArray[Any], window: tuple[float, float]) -> ByteArray:
    """Return the grey values of a volume: 0 at and below the window, 255 at and above it."""
    low, high = window
    scale = 255 / (high - low)
    grey = np.multiply(volume, np.float32(scale), dtype=np.float32)
    grey += np.float32(0.5 - low * scale)
    return np.asarray(np.clip(grey, 0, 255, out=grey), np.uint8)


@dataclass(frozen=True, kw_only=True)
class Views:
    """How the slices of a volume lie in pictures: the three planes have one scale, and their pictures one size.

    Parameters
    ----------
    planes
        By name, as of ``standard_planes``.
    shape, voxel_size_mm
        Of the volume.
    """

    planes: Mapping[str, Plane]
    shape: tuple[int, ...]
    voxel_size_mm: tuple[float, ...]

    @classmethod
    def of(cls, axes_mm: npt.NDArray[np.float64], shape: tuple[int, ...]) -> Self:
        """Work out the views; the columns of ``axes_mm`` are the way from voxel to voxel in patient axes (RAS)."""
        size = tuple(float(length) for length in np.linalg.norm(axes_mm[:3, :3], axis=0))
        return cls(planes=standard_planes(axes_mm), shape=shape, voxel_size_mm=size)

    def count(self, plane: str) -> int:
        """Return how many slices there are in a plane."""
        return self.shape[self.planes[plane].through]

    @property
    def scale(self) -> float:
        """Pixels per millimetre."""
        return _LONGEST_PIXELS / max(n * size for n, size in zip(self.shape, self.voxel_size_mm, strict=True))

    def slice_size(self, plane: str) -> tuple[int, int]:
        """Return width and height of a slice in pixels."""
        one = self.planes[plane]
        across, down = (self.shape[axis] * self.voxel_size_mm[axis] for axis in (one.across, one.down))
        return max(1, round(across * self.scale)), max(1, round(down * self.scale))

    def size(self, verdict: str = "") -> tuple[int, int]:
        """Return width and height of a picture in pixels."""
        sizes = [self.slice_size(plane) for plane in self.planes]
        below = max(height for _, height in sizes) + 3 * _EDGE
        return max(width for width, _ in sizes) + 2 * _EDGE, below + (_BAND if verdict else 0)


def slice_png(values: ByteArray, views: Views, plane: str, number: int, *, verdict: str = "") -> bytes:
    """Return a slice as PNG, in the proportions of the body, with directions, a bar of known length and the verdict.

    Parameters
    ----------
    values
        ``(x, y, z)`` uint8.
    number
        Of the slice in this plane, from 1.
    verdict
        Words across the top; empty for none.

    Raises
    ------
    IndexError
        There is no slice of this number.
    """
    from PIL import Image, ImageDraw

    if not 1 <= number <= views.count(plane):
        raise IndexError(f"slice {number}: expected 1 to {views.count(plane)}")
    shown = np.ascontiguousarray(views.planes[plane].numbered(values, number))
    width, height = views.slice_size(plane)
    page = Image.new("L", views.size(verdict))
    left, above = (page.width - width) // 2, _BAND if verdict else 0
    top = above + (page.height - above - _EDGE - height) // 2
    page.paste(Image.fromarray(shown).resize((width, height), Image.Resampling.BILINEAR), (left, top))
    draw = ImageDraw.Draw(page)
    _write_letters(draw, views.planes[plane].letters, (left, top, left + width, top + height))
    _draw_bar(draw, views.scale, page)
    if verdict:
        _write_verdict(draw, verdict, page.width)
    return _png(page)


def stored_png(values: npt.NDArray[Any], spacing_mm: tuple[float, float]) -> bytes:
    """Return an image as its scanner stored it as PNG, in the proportions of the body.

    Parameters
    ----------
    values
        ``(row, column)`` of any scale and sign; the window is from the 0.5th to the 99.5th percentile.
    spacing_mm
        Between rows, then between columns; pixels are square where these are not both positive.
    """
    from PIL import Image

    low, high = (float(end) for end in np.percentile(values, _SHOWN_PERCENTILES))
    lengths_mm = [n * size for n, size in zip(values.shape, spacing_mm, strict=True)]
    height, width = lengths_mm if all(0 < length < math.inf for length in lengths_mm) else values.shape
    longest = max(height, width)
    size = max(1, round(_STORED_PIXELS * (width / longest))), max(1, round(_STORED_PIXELS * (height / longest)))
    grey = in_window(values, (low, max(high, low + 1.0)))
    return _png(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR))


def _png(page: Image.Image) -> bytes:
    file = io.BytesIO()
    page.save(file, "PNG", compress_level=3)
    return file.getvalue()


def _write_letters(
    draw: ImageDraw.ImageDraw, letters: tuple[str, str, str, str], box: tuple[int, int, int, int]
) -> None:
    """Write the patient's directions beside the four edges of a slice."""
    left, top, right, bottom = box
    across, down, half = (left + right) // 2, (top + bottom) // 2, _EDGE // 2
    spots = ((left - half, down), (right + half, down), (across, top - half), (across, bottom + half))
    for letter, spot in zip(letters, spots, strict=True):
        draw.text(spot, letter, fill=_INK, anchor="mm", font=_font(_TEXT))


def _draw_bar(draw: ImageDraw.ImageDraw, scale: float, page: Image.Image) -> None:
    """Draw a bar of a round length, at most a third of the picture, and write how long it is."""
    length_mm = next((mm for mm in _BARS_MM if mm * scale <= page.width / 3), _BARS_MM[-1])
    row, end = page.height - _EDGE // 2, _EDGE + round(length_mm * scale)
    draw.line([(_EDGE, row), (end, row)], fill=_INK, width=3)
    draw.text((end + 8, row), f"{length_mm} mm", fill=_INK, anchor="lm", font=_font(_TEXT - 4))


def _write_verdict(draw: ImageDraw.ImageDraw, verdict: str, width: int) -> None:
    """Write the verdict across the top, black on light grey, in a size that fits."""
    draw.rectangle((0, 0, width, _BAND - 4), fill=_ALERT)
    size = next((size for size in range(20, 8, -1) if draw.textlength(verdict, font=_font(size)) < width - 8), 8)
    draw.text((width // 2, _BAND // 2 - 2), verdict, fill=0, anchor="mm", font=_font(size))


def _font(size: int) -> Any:  # noqa: ANN401 - one of two classes, by what Pillow was built with
    from PIL import ImageFont

    return ImageFont.load_default(size)
