"""Three-dimensional polynomials in mm: weighted fit and evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from recon.types import FloatArray

Lengths = tuple[float, float, float]
FloatMatrix = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """``Σ c_abc x^a y^b z^c`` of positions scaled to about -1..1.

    Parameters
    ----------
    coefficients
        ``(order + 1, order + 1, order + 1)`` float64, zero above the order.
    half_mm
        Half of each side of the fitted volume: centre and scale of the positions.
    """

    coefficients: FloatMatrix
    half_mm: Lengths

    def on(self, shape: tuple[int, int, int], spacing_mm: Lengths) -> FloatArray:
        """Return the values on a volume that starts where the fitted one starts, ``(x, y, z)`` float32."""
        x, y, z = _powers(shape, spacing_mm, self.half_mm, self.coefficients.shape[0] - 1)
        planes = np.einsum("abc,by,cz->ayz", self.coefficients, y, z).astype(np.float32)
        values: FloatArray = np.tensordot(x.astype(np.float32), planes, axes=(0, 0))
        return values


def _powers(
    shape: tuple[int, int, int], spacing_mm: Lengths, half_mm: Lengths, order: int
) -> tuple[FloatMatrix, FloatMatrix, FloatMatrix]:
    """Return the powers 0..order of the scaled positions along each axis, ``(power, position)``."""
    scale = max(half_mm)
    x, y, z = (
        np.power(((np.arange(n) * d - h) / scale)[None, :], np.arange(order + 1.0)[:, None])
        for n, d, h in zip(shape, spacing_mm, half_mm, strict=True)
    )
    return x, y, z


def fit_polynomial(values: FloatArray, weights: FloatArray, spacing_mm: Lengths, order: int) -> Polynomial:
    """Return the weighted least-squares polynomial.

    Values far off the first fit are given less weight in two more (Huber's weights).

    Parameters
    ----------
    values, weights
        ``(x, y, z)`` float32; a weight of zero leaves the value out.
    spacing_mm
        Distance between values.
    order
        Largest sum of the three exponents.
    """
    nx, ny, nz = values.shape
    half = tuple((n - 1) * d / 2 + d / 2 for n, d in zip(values.shape, spacing_mm, strict=True))
    half_mm: Lengths = (half[0], half[1], half[2])
    x, y, z = _powers((nx, ny, nz), spacing_mm, half_mm, order)
    used = np.nonzero(weights > 0)
    exponents = [p for p in product(range(order + 1), repeat=3) if sum(p) <= order]
    design = np.stack([x[a, used[0]] * y[b, used[1]] * z[c, used[2]] for a, b, c in exponents], axis=1)
    target, weight = values[used].astype(np.float64), weights[used].astype(np.float64)
    huber = np.ones_like(weight)
    solution = np.zeros(len(exponents))
    for _ in range(3 if target.size else 0):
        root = np.sqrt(weight * huber)
        solution = np.linalg.lstsq(design * root[:, None], target * root, rcond=1e-6)[0]
        residual = np.abs(target - design @ solution)
        limit = 2.0 * float(np.median(residual)) + 1e-6
        huber = np.minimum(1.0, limit / np.maximum(residual, limit))
    coefficients = np.zeros((order + 1,) * 3)
    coefficients[tuple(np.transpose(exponents))] = solution
    return Polynomial(coefficients=coefficients, half_mm=half_mm)
