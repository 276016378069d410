"""Draw training subjects: any head, lesion, geometry and acquisition that the service may meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from recon.lab.simulation.draw.cases import hardened
from recon.lab.simulation.draw.head import draw_head, draw_shapes
from recon.lab.simulation.draw.lesions import draw_lesions
from recon.lab.simulation.draw.plan import AXIAL, ScanPlan, SubjectPlan, Vector, vector

MAX_VOXELS = 5_000_000
_MAX_POINTS = 8_000_000
"""Most points of the lattice that a scan is simulated on."""
_SUBVOXEL_MM = 1.3
_FINE_SHARE = 0.25
"""Share of the heads with effects whose sources are finer than a voxel along every axis that allows it."""
_FINE_MM, _FINE_POINTS = 0.8, 6_000_000
"""Size of their subvoxels, and the most points of their lattice."""
_LEAST_SLICES = 32
_MAX_POINT_ECHOES = 30_000_000
"""Most points times echoes that are simulated; further echoes are left out."""
_ANY_DIRECTION = 0.4
"""Share of heads that lie in the magnet in any direction."""
_WITH_EFFECTS = 0.7
"""Share of heads whose echoes are simulated with everything that disturbs them, and go through the phase step."""
_TWO_DIMENSIONAL, _THINNEST_2D_MM = 0.2, 1.5
"""Share of 2D acquisitions among scans of thick slices, and the least thickness."""
_BIPOLAR, _BIPOLAR_ECHOES = 0.2, 3
"""Share of bipolar readouts, and the least number of echoes: fewer do not tell the parities' offsets."""


def draw_subject(rng: np.random.Generator) -> SubjectPlan:
    """Draw a head and a scan of it."""
    kind = rng.choice(["healthy", "patient", "shapes"], p=[0.3, 0.5, 0.2])
    lesions = draw_lesions(rng) if kind == "patient" or rng.random() < 0.2 else ()
    shapes = draw_shapes(rng, int(rng.integers(20, 150))) if kind == "shapes" else ()
    anatomy = float(rng.uniform(0.0, 1.2)) if kind == "shapes" else float(rng.uniform(0.8, 1.25))
    drawn = draw_head(rng, lesions=lesions, shapes=shapes, anatomy=anatomy)
    head = replace(drawn, fibre_ppm=float(rng.uniform(0.0, 0.012)))
    return SubjectPlan(head=head, scan=_with_effects(rng, draw_scan(rng)))


def draw_scan(rng: np.random.Generator) -> ScanPlan:
    """Draw geometry and acquisition."""
    voxel, shape = _draw_grid(rng)
    upright = _unit_near_z(rng, 18.0)
    return ScanPlan(
        shape=shape,
        voxel_size_mm=voxel,
        rotation=_rotation(rng) @ AXIAL,
        centre_mm=(float(rng.normal(0, 4)), float(rng.normal(-18, 5)), float(rng.normal(5, 8))),
        b0_head=_tilted(rng, upright),
        b0_tesla=float(rng.choice([1.5, 3.0, 7.0], p=[0.2, 0.55, 0.25])),
        echo_times_s=_echo_times_s(rng),
        snr=float(np.exp(rng.uniform(np.log(10), np.log(200)))),
        shim_residual=float(rng.choice([0.0, 0.1, 0.3, 1.0], p=[0.35, 0.3, 0.25, 0.1])),
        offset_rad=(0.0, 0.0, 0.0, 0.0, 0.0),
        coil_fall=float(rng.uniform(0.0, 0.6)),
        oversample=_subvoxels(voxel, shape, size_mm=_SUBVOXEL_MM, most=_MAX_POINTS),
        noise_seed=int(rng.integers(2**31)),
    )


def _with_effects(rng: np.random.Generator, scan: ScanPlan) -> ScanPlan:
    """Return a scan with what makes a measurement hard, in a share of the heads.

    Drawn from a stream of its own, so that all else that is drawn stays as it is.
    """
    own = rng.spawn(1)[0]
    if own.random() >= _WITH_EFFECTS:
        return scan
    flat = scan.voxel_size_mm[2] >= _THINNEST_2D_MM and own.random() < _TWO_DIMENSIONAL
    bipolar = len(scan.echo_times_s) >= _BIPOLAR_ECHOES and own.random() < _BIPOLAR
    offset_rad = (float(own.uniform(-3, 3)), *(float(v) for v in own.uniform(-1.5, 1.5, 4)))
    bipolar_rad = float(own.uniform(-2, 2)) if bipolar else 0.0
    scan = replace(scan, offset_rad=offset_rad, bipolar_rad=bipolar_rad)
    if own.random() < _FINE_SHARE:
        scan = _finer(scan)
    echoes = _MAX_POINT_ECHOES // int(np.prod(scan.shape) * np.prod(scan.oversample))
    return hardened(replace(scan, echo_times_s=scan.echo_times_s[:echoes]), own, two_dimensional=flat)


def _finer(scan: ScanPlan) -> ScanPlan:
    """Return a scan of finer subvoxels, with as few slices as they need to fit in memory."""
    x, y, z = scan.shape
    wanted = np.prod([max(1, round(size / _FINE_MM)) for size in scan.voxel_size_mm])
    while x * y * z * wanted > _FINE_POINTS and z > _LEAST_SLICES:
        z -= 16
    parts = _subvoxels(scan.voxel_size_mm, (x, y, z), size_mm=_FINE_MM, most=_FINE_POINTS)
    return replace(scan, shape=(x, y, z), oversample=parts)


def _subvoxels(
    voxel_size_mm: Vector, shape: tuple[int, int, int], *, size_mm: float, most: int
) -> tuple[int, int, int]:
    """Return how many subvoxels of about a size make a voxel, so that the lattice has no more points than ``most``."""
    points = int(np.prod(shape))
    parts = [max(1, round(size / size_mm)) for size in voxel_size_mm]
    while points * np.prod(parts) > most and max(parts) > 1:
        parts[int(np.argmax(parts))] -= 1
    return (parts[0], parts[1], parts[2])


def _draw_grid(rng: np.random.Generator) -> tuple[Vector, tuple[int, int, int]]:
    """Return voxel size and shape, drawn again while the whole head does not fit in memory."""
    for _ in range(30):
        voxel = _voxel_size_mm(rng)
        shape = _shape(rng, voxel)
        if np.prod(shape) <= MAX_VOXELS:
            break
    return voxel, _shrunk(shape)


def _voxel_size_mm(rng: np.random.Generator) -> Vector:
    """Isotropic in half of the scans, slices up to six times thicker in the other; a few as coarse as quick scans."""
    kind = rng.random()
    if kind < 0.05:
        size = float(rng.uniform(2.0, 3.2))
        return (size, size, size * float(rng.uniform(0.8, 1.2)))
    if kind < 0.5:
        size = float(np.exp(rng.uniform(np.log(0.8), np.log(1.6))))
        return (size, size, size)
    in_plane = float(np.exp(rng.uniform(np.log(0.5), np.log(1.2))))
    thickness = in_plane * np.exp(rng.uniform(np.log(1.2), np.log(6.0)))
    return (in_plane, in_plane * float(rng.choice((1.0, 1.0, 1.25))), float(min(thickness, 4.0)))


def _shape(rng: np.random.Generator, voxel_size_mm: Vector) -> tuple[int, int, int]:
    """Field of view around the brain, sometimes a slab; multiples of 16."""
    slab = rng.random() < 0.3
    extent = [
        rng.uniform(155, 180),
        rng.uniform(185, 215),
        rng.uniform(40, 130) if slab else rng.uniform(140, 175),
    ]
    x, y, z = (max(32, int(round(e / v / 16)) * 16) for e, v in zip(extent, voxel_size_mm, strict=True))
    return (x, y, z)


def _shrunk(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return a shape that fits, its longest axes cut."""
    sizes = list(shape)
    while np.prod(sizes) > MAX_VOXELS:
        sizes[int(np.argmax(sizes))] -= 16
    return (sizes[0], sizes[1], sizes[2])


def _rotation(rng: np.random.Generator) -> np.ndarray:
    """Return the image's rotation against axial: mild in most scans, anything in the others."""
    if rng.random() < 0.45:
        return np.asarray(Rotation.random(random_state=int(rng.integers(2**31))).as_matrix())
    angle = np.radians(abs(rng.normal(0, 18)))
    axis = rng.standard_normal(3)
    return np.asarray(Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix())


def _unit_near_z(rng: np.random.Generator, spread_deg: float) -> Vector:
    x, y = rng.normal(0, np.radians(spread_deg) / 2, 2)
    v = np.array([x, y, 1.0])
    return vector(v / np.linalg.norm(v))


def _tilted(rng: np.random.Generator, upright: Vector) -> Vector:
    """Return B0 in head axes: any direction in some scans, as in open magnets and for tilted heads.

    Drawn from a stream of its own, so that all else that is drawn stays as it is.
    """
    own = rng.spawn(1)[0]
    if own.random() >= _ANY_DIRECTION:
        return upright
    v = own.standard_normal(3)
    return vector(v / np.linalg.norm(v))


def _echo_times_s(rng: np.random.Generator) -> tuple[float, ...]:
    """Multi-echo trains and single-echo SWI."""
    if rng.random() < 0.4:
        return (float(rng.uniform(0.015, 0.035)),)
    first, step = rng.uniform(0.003, 0.008, 2)
    return tuple(float(first + i * step) for i in range(int(rng.integers(3, 8))))
