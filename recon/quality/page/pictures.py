"""Volumes of a job as a browser shows them: in 8 bits at a fixed window, cut to the brain, slice by slice as PNG."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from recon.operators.boxes import Box, mask_box
from recon.quality.page.orientation import Plane
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

_EDGE, _TEXT, _BAND = 24, 16, 34
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
    return np.clip(grey, 0, 255, out=grey).astype(np.uint8)


def slice_png(
    values: ByteArray, plane: Plane, number: int, *, voxel_size_mm: Sequence[float], verdict: str = ""
) -> bytes:
    """Return a slice as PNG, in the proportions of the body, with directions, a bar of known length and the verdict.

    Parameters
    ----------
    values
        ``(x, y, z)`` uint8, the box of the brain.
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

    if not 1 <= number <= values.shape[plane.through]:
        raise IndexError(f"slice {number}: expected 1 to {values.shape[plane.through]}")
    scale = _LONGEST_PIXELS / max(n * size for n, size in zip(values.shape, voxel_size_mm, strict=True))
    shown = np.ascontiguousarray(plane.numbered(values, number))
    width = max(1, round(shown.shape[1] * voxel_size_mm[plane.across] * scale))
    height = max(1, round(shown.shape[0] * voxel_size_mm[plane.down] * scale))
    top = _EDGE + (_BAND if verdict else 0)
    page = Image.new("L", (width + 2 * _EDGE, top + height + 2 * _EDGE))
    page.paste(Image.fromarray(shown).resize((width, height), Image.Resampling.BILINEAR), (_EDGE, top))
    draw = ImageDraw.Draw(page)
    _write_letters(draw, plane.letters, (_EDGE, top, _EDGE + width, top + height))
    _draw_bar(draw, scale, width, page.height - _EDGE // 2)
    if verdict:
        _write_verdict(draw, verdict, page.width)
    return _encoded(page)


def _write_letters(
    draw: ImageDraw.ImageDraw, letters: tuple[str, str, str, str], box: tuple[int, int, int, int]
) -> None:
    """Write the patient's directions beside the four edges of a slice."""
    left, top, right, bottom = box
    across, down, half = (left + right) // 2, (top + bottom) // 2, _EDGE // 2
    spots = ((left - half, down), (right + half, down), (across, top - half), (across, bottom + half))
    for letter, spot in zip(letters, spots, strict=True):
        draw.text(spot, letter, fill=_INK, anchor="mm", font=_font(_TEXT))


def _draw_bar(draw: ImageDraw.ImageDraw, scale: float, width: int, row: int) -> None:
    """Draw a bar of a round length, at most a third of the slice, and write how long it is."""
    length_mm = next((mm for mm in _BARS_MM if mm * scale <= width / 3), _BARS_MM[-1])
    end = _EDGE + round(length_mm * scale)
    draw.line([(_EDGE, row), (end, row)], fill=_INK, width=3)
    draw.text((end + 8, row), f"{length_mm} mm", fill=_INK, anchor="lm", font=_font(_TEXT - 2))


def _write_verdict(draw: ImageDraw.ImageDraw, verdict: str, width: int) -> None:
    """Write the verdict across the top, black on white, in a size that fits."""
    draw.rectangle((0, 0, width, _BAND - 4), fill=_ALERT)
    size = next((size for size in range(20, 8, -1) if draw.textlength(verdict, font=_font(size)) < width - 8), 8)
    draw.text((width // 2, _BAND // 2 - 2), verdict, fill=0, anchor="mm", font=_font(size))


def _font(size: int) -> Any:  # noqa: ANN401 - one of two classes, by what Pillow was built with
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _encoded(page: Image.Image) -> bytes:
    file = io.BytesIO()
    page.save(file, "PNG", compress_level=3)
    return file.getvalue()
