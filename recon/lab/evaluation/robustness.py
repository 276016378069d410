"""Whether a map depends on what it must not depend on: strength of the source, direction of B0, shape of the voxels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from recon.field.reliability import total_field_of
from recon.inversion.methods import find_method
from recon.lab.evaluation import metrics
from recon.lab.evaluation.score import referenced
from recon.lab.simulation.draw.cases import AXIAL
from recon.lab.simulation.draw.head import draw_head
from recon.lab.simulation.draw.plan import EllipsoidPlan, LesionPlan, ScanPlan, SubjectPlan, Vector
from recon.lab.simulation.draw.seeds import Purpose, generator
from recon.lab.simulation.head import LESION_LABEL, NUCLEUS_LABEL
from recon.lab.simulation.scan import SimulatedScan, simulate_scan
from recon.types import FloatArray, TotalField

SPHERES_PPM = (-3.0, -2.4, -1.8, -1.2, -0.6, -0.2, 0.1, 0.4, 0.8, 1.2, 1.6, 2.0)
TILTS_DEG = (0.0, 20.0, 45.0, 90.0)
_SEED = 500
_NOISE_PPM = 0.002
_APART_MM = 22.0
_LEAST_REGION_PPM = 0.04

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class SphereRow:
    """Mean of the map in a sphere beside the true one, both relative to the brain."""

    method: str
    true_ppm: float
    radius_mm: float
    voxels: int
    map_ppm: float


@dataclass(frozen=True, kw_only=True)
class RegionRow:
    """A region's mean under changed conditions.

    Parameters
    ----------
    method, region
        Names.
    condition
        ``"tilt 45°"`` or ``"0.5 x 0.5 x 2 mm"``.
    mean_ppb, true_ppb
        Mean of the map and of the truth, relative to the brain.
    change_percent
        Against the untilted 1 mm scan, less what the truth itself changes by partial volume.
    """

    method: str
    region: str
    condition: str
    mean_ppb: float
    true_ppb: float
    change_percent: float


def sphere_line(rows: list[SphereRow]) -> tuple[float, float]:
    """Return slope and R² of the spheres' means against the true ones."""
    x, y = np.array([r.true_ppm for r in rows]), np.array([r.map_ppm for r in rows])
    return metrics.slope(x, y), float(np.corrcoef(x, y)[0, 1] ** 2)


def _scan(rng: np.random.Generator) -> ScanPlan:
    return ScanPlan(
        shape=(160, 192, 160),
        voxel_size_mm=(1.0, 1.0, 1.0),
        rotation=AXIAL,
        centre_mm=(0.0, -18.0, 3.0),
        b0_head=(0.0, 0.0, 1.0),
        b0_tesla=3.0,
        echo_times_s=(0.006, 0.012, 0.018, 0.024),
        snr=80.0,
        shim_residual=0.15,
        offset_rad=(0.0, 0.0, 0.0, 0.0, 0.0),
        noise_seed=int(rng.integers(2**31)),
    )


def _true_total(scan: SimulatedScan) -> TotalField:
    """Return the noise-free total field of a scan in the true brain."""
    noise_ppm = np.full_like(scan.field_ppm, _NOISE_PPM)
    return total_field_of(scan.field_ppm, noise_ppm, scan.brain, scan.echoes.grid)


def _invert(method: str, scan: SimulatedScan, engine: str) -> FloatArray:
    return referenced(find_method(method)(_true_total(scan), engine).chi_ppm, scan.brain)


def sphere_lesions(rng: np.random.Generator) -> tuple[LesionPlan, ...]:
    """Place spheres of 4.5 to 7 mm radius in the brain, none near another nor near the surface."""
    placed: list[np.ndarray] = []
    while len(placed) < len(SPHERES_PPM):
        direction = rng.standard_normal(3)
        direction *= np.array((66.0, 84.0, 66.0)) * 0.7 * rng.random() ** (1 / 3) / np.linalg.norm(direction)
        place = np.array((0.0, -18.0, 8.0)) + direction
        if all(np.linalg.norm(place - other) > _APART_MM for other in placed):
            placed.append(place)
    both = zip(placed, SPHERES_PPM, strict=True)
    return tuple(_sphere(place, chi, float(rng.uniform(4.5, 7.0))) for place, chi in both)


def _sphere(place: np.ndarray, chi_ppm: float, radius_mm: float) -> LesionPlan:
    centre: Vector = (float(place[0]), float(place[1]), float(place[2]))
    shape = EllipsoidPlan(centre_mm=centre, radius_mm=(radius_mm, radius_mm, radius_mm))
    kind = "haemorrhage" if chi_ppm > 0 else "calcification"
    return LesionPlan(kind=kind, shape=shape, chi_ppm=chi_ppm, rim_chi_ppm=chi_ppm)


def evaluate_spheres(method: str, *, engine: str = "auto", voxel_size_mm: float = 1.0, say: Say) -> list[SphereRow]:
    """Invert a head that holds spheres of -3 to +2 ppm, from its true field.

    Parameters
    ----------
    method, engine
        Keys of :data:`recon.options.METHODS` and of the engines.
    voxel_size_mm
        Larger for a quick look.
    say
        Told what is being done.
    """
    rng = generator(Purpose.EVALUATION, _SEED)
    lesions = sphere_lesions(rng)
    say("spheres: simulating")
    scan = simulate_scan(_sized(SubjectPlan(head=draw_head(rng, lesions=lesions), scan=_scan(rng)), voxel_size_mm))
    say(f"spheres: {method}")
    chi, truth = _invert(method, scan, engine), referenced(scan.chi_ppm, scan.brain)
    inside = scan.brain & np.isin(scan.label, (LESION_LABEL["haemorrhage"], LESION_LABEL["calcification"]))
    parts, count = ndimage.label(inside)
    rows = []
    for number in range(1, count + 1):
        part = parts == number
        if np.count_nonzero(part) * voxel_size_mm**3 < 100:
            continue  # a vein that crosses a sphere cuts crumbs off it
        mean = float(truth[part].mean())
        radius = float((np.count_nonzero(part) * voxel_size_mm**3 * 3 / (4 * np.pi)) ** (1 / 3))
        rows.append(
            SphereRow(
                method=method,
                true_ppm=mean,
                radius_mm=radius,
                voxels=int(part.sum()),
                map_ppm=float(chi[part].mean()),
            )
        )
    return sorted(rows, key=lambda row: row.true_ppm)


def _sized(subject: SubjectPlan, voxel_size_mm: float) -> SubjectPlan:
    if voxel_size_mm == 1.0:
        return subject
    x, y, z = (max(8, round(n / voxel_size_mm / 4) * 4) for n in subject.scan.shape)
    scan = replace(subject.scan, shape=(x, y, z), voxel_size_mm=(voxel_size_mm,) * 3)
    return replace(subject, scan=scan)


def evaluate_geometry(
    method: str, *, engine: str = "auto", voxel_size_mm: float = 1.0, say: Say
) -> Iterator[RegionRow]:
    """Scan one head at four tilts of B0 and with two shapes of voxels, and compare its deep grey nuclei.

    Parameters as in :func:`evaluate_spheres`.
    """
    rng = generator(Purpose.EVALUATION, _SEED + 1)
    subject = SubjectPlan(head=draw_head(rng), scan=_scan(rng))
    subject = _sized(subject, voxel_size_mm)
    reference: dict[str, tuple[float, float]] = {}
    for condition, scan in _conditions(subject.scan):
        say(f"{condition}: simulating")
        made = simulate_scan(replace(subject, scan=scan))
        say(f"{condition}: {method}")
        means = _region_means(_invert(method, made, engine), made)
        reference = reference or means
        for region, (mean, true) in means.items():
            if region not in reference or abs(reference[region][1]) < _LEAST_REGION_PPM:
                continue
            ratio = (mean / true) / (reference[region][0] / reference[region][1])
            yield RegionRow(
                method=method,
                region=region,
                condition=condition,
                mean_ppb=1e3 * mean,
                true_ppb=1e3 * true,
                change_percent=100 * (ratio - 1),
            )


def _conditions(scan: ScanPlan) -> Iterator[tuple[str, ScanPlan]]:
    """Tilt the head in the magnet about its left-right axis; then halve the voxels in the plane, double the slices."""
    for angle in TILTS_DEG:
        turn = np.radians(angle)
        b0 = (0.0, float(np.sin(turn)), float(np.cos(turn)))
        yield f"tilt {angle:g}°", replace(scan, b0_head=b0)
    x, y, z = scan.shape
    size = scan.voxel_size_mm[0]
    flat = replace(
        scan, shape=(2 * x, 2 * y, z // 2), voxel_size_mm=(size / 2, size / 2, 2 * size), oversample=(1, 1, 2)
    )
    yield f"{size / 2:g} x {size / 2:g} x {2 * size:g} mm", flat


def _region_means(chi_ppm: FloatArray, scan: SimulatedScan) -> dict[str, tuple[float, float]]:
    """Return the mean of map and truth in each nucleus, both relative to the brain."""
    truth = referenced(scan.chi_ppm, scan.brain)
    regions = {name: scan.brain & (scan.label == number) for name, number in NUCLEUS_LABEL.items()}
    return {n: (float(chi_ppm[r].mean()), float(truth[r].mean())) for n, r in regions.items() if r.any()}
