"""Simulate a scan with the physics of qsm-forward, a forward model by others, so that ours does not judge itself.

The anatomy is ours. Field, shim, signal, k-space cropping and noise are qsm-forward's (A. Stewart, of QSM-CI; after
Marques et al. 2021, doi:10.1002/mrm.28716), on a lattice that is finer than the voxels and does not divide them. In
place of its phase offset, a parabola, goes the receive field of a coil array, as its amplitude and phase offset. Its
anisotropy of white matter is left out: it writes an apparent susceptibility into the map, which the truth would follow.

What its conventions are, each compared with ours in a test: chi and field in ppm, echo times in seconds, phase grows
with a positive field, a proton frequency of 42.58 MHz/T (ours is 0.006 % lower), any B0 direction; the spacings along
the first two axes are expected in the opposite order.

It needs about 12 GB of memory at 1 mm. qsm-forward is licensed under the GPL-3: it is installed for evaluation only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from recon.errors import InvalidInputError
from recon.lab.simulation.draw.plan import ScanPlan, SubjectPlan, vector
from recon.lab.simulation.effects.apply import lattice_effects
from recon.lab.simulation.effects.coils import interpolated
from recon.lab.simulation.field import HeadField, crop_head_field, field_from_beyond
from recon.lab.simulation.head import WHITE_MATTER_LABEL, HeadVolumes, build_head
from recon.lab.simulation.lattice import make_lattice
from recon.lab.simulation.scan import SimulatedScan
from recon.lab.simulation.signal import relaxation_per_s
from recon.lab.simulation.template import load_template
from recon.lab.simulation.tissue import AIR_CHI_PPM, FAT_SHIFT_PPM
from recon.types import FloatArray, GradientEcho, Grid

_STEP_MM = 0.64
"""Spacing of the lattice for voxels of 1 mm and less; it grows with the smallest edge of larger ones."""
_MARGIN_POINTS = (4, 8, 8)
"""How far fine sources reach beyond the image; coarse ones follow."""
_EDGE_BLUR_POINTS = 0.65
"""Bone and air have edges as soft as this, in the field as in the truth: sharp ones would ring through the brain."""
_SHIM_STEP_MM = 3.0
"""The shim is fitted on a lattice of this spacing: its terms are harmonic on cubes only."""
_BRAIN_PEAK_PERCENTILE = 99.0


def simulate_forward(subject: SubjectPlan) -> SimulatedScan:
    """Apply a subject's plans with the physics of qsm-forward.

    The truth is a mean over each voxel's box: of the susceptibility, of the shimmed field, and of the brain, of which
    more than half counts. The SNR is that of the brain's 99th percentile in the first echo.

    Raises
    ------
    InvalidInputError
        If qsm-forward is missing.
    """
    forward, scan = _qsm_forward(), subject.scan
    made = _head_field(forward, subject)
    field = _shimmed(forward, made)
    signal = np.stack(list(_echoes(forward, made, field, scan)))
    to_voxels = [
        _box_weights(_voxel_axis_mm(scan, a), made.lattice.axis_mm(a), scan.voxel_size_mm[a]) for a in range(3)
    ]
    brain = _voxel_means(made.volumes.brain.float(), to_voxels) > 0.5
    peak = float(np.percentile(np.abs(signal[0])[brain], _BRAIN_PEAK_PERCENTILE))
    noise_rng = np.random.default_rng(scan.noise_seed)
    # It adds noise relative to the largest magnitude, which is that of the scalp below the coils.
    signal = forward.add_noise(signal, peak_snr=scan.snr * float(np.abs(signal).max()) / peak, rng=noise_rng)
    nearest = [np.abs(made.lattice.axis_mm(a) - _voxel_axis_mm(scan, a)[:, None]).argmin(axis=1) for a in range(3)]
    return SimulatedScan(
        echoes=GradientEcho(
            magnitude=(np.abs(signal) / peak * 1000.0).astype(np.float32),
            phase_rad=np.angle(signal).astype(np.float32),
            echo_times_s=scan.echo_times_s,
            b0_tesla=scan.b0_tesla,
            grid=Grid(shape=scan.shape, voxel_size_mm=scan.voxel_size_mm, b0_direction=scan.b0_direction),
        ),
        chi_ppm=_voxel_means(made.volumes.chi_ppm, to_voxels),
        field_ppm=_voxel_means(field, to_voxels),
        brain=brain,
        label=made.volumes.label.numpy()[np.ix_(*nearest)],
    )


def forward_field_ppm(forward: ModuleType, chi_ppm: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return qsm-forward's field of a susceptibility ``(x, y, z)`` that is zero outside."""
    first, second, third = grid.voxel_size_mm
    field = forward.generate_field(chi_ppm.numpy(), voxel_size=[second, first, third], B0_dir=list(grid.b0_direction))
    return torch.from_numpy(field.astype(np.float32))


def _qsm_forward() -> ModuleType:
    try:
        from qsm_forward import qsm_forward
    except ImportError as error:
        raise InvalidInputError("qsm-forward is missing; install this project with its 'test' extra") from error
    return qsm_forward  # type: ignore[no-any-return]


def _voxel_axis_mm(scan: ScanPlan, axis: int) -> np.ndarray:
    """Return the image positions of the voxels along one axis."""
    count = scan.shape[axis]
    return np.asarray((np.arange(count) - (count - 1) / 2) * scan.voxel_size_mm[axis])


def _head_field(forward: ModuleType, subject: SubjectPlan) -> HeadField:
    """Build the head on the fine lattice, whose first point is the first voxel's, as cropping k-space keeps it."""
    scan = subject.scan
    step = _STEP_MM * max(1.0, min(scan.voxel_size_mm))
    fine = [math.ceil(n * v / min(step, v / 1.1)) for n, v in zip(scan.shape, scan.voxel_size_mm, strict=True)]
    extents = (n * v for n, v in zip(scan.shape, scan.voxel_size_mm, strict=True))
    spacing = vector(extent / count for extent, count in zip(extents, fine, strict=True))
    x, y, z = (count + 2 * margin for count, margin in zip(fine, _MARGIN_POINTS, strict=True))
    first = vector(_voxel_axis_mm(scan, a)[0] - _MARGIN_POINTS[a] * spacing[a] for a in range(3))
    lattice = make_lattice(subject.head, scan, shape=(x, y, z), spacing_mm=spacing, first_mm=first)
    volumes = _with_soft_edges(build_head(lattice, load_template()))
    grid = Grid(shape=lattice.shape, voxel_size_mm=spacing, b0_direction=scan.b0_direction)
    field = forward_field_ppm(forward, volumes.chi_ppm - AIR_CHI_PPM, grid)
    field += field_from_beyond(subject.head, scan, load_template(), lattice)
    return crop_head_field(HeadField(volumes=volumes, field_ppm=field, lattice=lattice), _MARGIN_POINTS)


def _with_soft_edges(volumes: HeadVolumes) -> HeadVolumes:
    """Return a head whose susceptibility outside the brain is blurred."""
    tissue = torch.where(volumes.brain, volumes.chi_ppm, 0.0)
    beyond = (volumes.chi_ppm - AIR_CHI_PPM - tissue).numpy()
    blurred = torch.from_numpy(ndimage.gaussian_filter(beyond, _EDGE_BLUR_POINTS, mode="nearest"))
    return replace(volumes, chi_ppm=blurred + AIR_CHI_PPM + tissue)


def _shimmed(forward: ModuleType, made: HeadField) -> torch.Tensor:
    """Return the field after qsm-forward's shim of second order, fitted in the brain."""
    lattice, device = made.lattice, made.field_ppm.device
    axes = [lattice.axis_mm(axis) for axis in range(3)]
    coarse = [np.arange(a[0], a[-1], _SHIM_STEP_MM) for a in axes]
    nearest = np.ix_(*(np.abs(a - c[:, None]).argmin(axis=1) for a, c in zip(axes, coarse, strict=True)))
    sampled = interpolated(made.field_ppm.numpy(), axes, coarse, device).numpy()
    fitted, _, _ = forward.generate_shimmed_field(sampled, made.volumes.brain.numpy()[nearest], order=2)
    return made.field_ppm - interpolated(fitted, coarse, axes, device)


def _echoes(forward: ModuleType, made: HeadField, field_ppm: torch.Tensor, scan: ScanPlan) -> Iterator[np.ndarray]:
    """Yield every echo ``(x, y, z)`` without noise, cropped in k-space to the image's voxels."""
    ready = lattice_effects(made, scan, scan.effects)
    receive = ready.receive
    assert receive is not None
    relaxation = relaxation_per_s(made, scan).numpy()
    cylinders = {} if ready.squared_sine is None else _hollow_cylinders(made, relaxation, ready.squared_sine)
    brightness = (made.volumes.signal * receive.abs()).numpy()
    offset = receive.angle().numpy()
    frequency = (field_ppm + FAT_SHIFT_PPM * made.volumes.fat).numpy()
    ramp = np.linspace(-0.5, 0.5, offset.shape[0], dtype=np.float32)[:, None, None] * scan.bipolar_rad
    for number, echo_time_s in enumerate(scan.echo_times_s):
        fine = forward.generate_signal(
            frequency,
            B0=scan.b0_tesla,
            TE=echo_time_s,
            phase_offset=offset + (ramp if number % 2 == 0 else -ramp),
            R2star=relaxation,
            M0=brightness,
            **cylinders,
        )
        yield forward.crop_kspace(fine, scan.shape)


def _hollow_cylinders(made: HeadField, relaxation_per_s: FloatArray, squared_sine: torch.Tensor) -> dict[str, Any]:
    """Return what makes white matter a sum of water in, inside and around myelin sheaths, after its own parameters."""
    nothing = np.float32(0)
    return {
        "multicompartment": True,
        "R2": relaxation_per_s,
        "dr_pos": nothing,
        "dr_neg": nothing,
        "chi_pos": np.zeros_like(relaxation_per_s),
        "chi_neg": made.volumes.chi_ppm.clamp(max=0.0).numpy(),
        "theta": squared_sine.clamp(0.0, 1.0).sqrt().arcsin().numpy(),
        "wm_mask": (made.volumes.label == WHITE_MATTER_LABEL).numpy(),
    }


def _box_weights(voxels_mm: np.ndarray, points_mm: np.ndarray, size_mm: float) -> torch.Tensor:
    """Return the matrix from lattice points to means over boxes of this size around the voxels, along one axis."""
    half, step = size_mm / 2, points_mm[1] - points_mm[0]
    above = np.minimum(voxels_mm[:, None] + half, points_mm + step / 2)
    below = np.maximum(voxels_mm[:, None] - half, points_mm - step / 2)
    shares = np.clip(above - below, 0.0, None)
    return torch.tensor(shares / shares.sum(axis=1, keepdims=True), dtype=torch.float32)


def _voxel_means(volume: torch.Tensor, weights: list[torch.Tensor]) -> FloatArray:
    """Return the means of a fine volume over the voxels."""
    for axis, matrix in enumerate(weights):
        volume = torch.movedim(torch.tensordot(matrix, volume, dims=([1], [axis])), 0, axis)
    return volume.contiguous().numpy()
