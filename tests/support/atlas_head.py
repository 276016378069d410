"""A head made of the template itself: oblique, anisotropic, smaller than the template, with known nuclei."""

import dataclasses

import numpy as np

from recon.field.reliability import total_field_of
from recon.products.regions.atlas import SIDES, ellipsoid_share, load_atlas
from recon.products.regions.nuclei import NUCLEI
from recon.products.regions.register import at
from recon.types import GradientEcho, Grid, SusceptibilityMap
from tests.support.phantom import make_reconstruction

CHI_PPM = (-0.03, 0.02, 0.02, 0.01, 0.05, 0.045, 0.13, 0.1, 0.11, 0.12)
MAGNITUDE = (0.72, 0.85, 0.6, 0.79, 0.8, 0.8, 0.7, 0.72, 0.72, 0.75)
SHAPE, SIZE_MM = (72, 80, 60), (2.1, 2.3, 2.6)


def atlas_head(*, mask_method="deepbet"):
    """Return echoes, reconstruction, affine and true labels of the head."""
    tilt = np.radians(12.0)
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag((-1.0, -1.0, 1.0)) @ np.diag(SIZE_MM)
    affine[:3, 3] = (4.0, 7.0, -11.0) - affine[:3, :3] @ ((np.asarray(SHAPE) - 1) / 2)
    ras = np.tensordot(affine[:3, :3], np.indices(SHAPE), axes=1) + affine[:3, 3].reshape(3, 1, 1, 1)
    stretch = np.array((1.08, 1.05, 1.12)).reshape(3, 1, 1, 1)
    mni = ((ras - np.array((4.0, 7.0, -11.0)).reshape(3, 1, 1, 1)) * stretch).astype(np.float32)
    mni += np.array((0.0, -18.0, 5.0), np.float32).reshape(3, 1, 1, 1)
    atlas = load_atlas()
    mask = at(atlas.distance_mm, mni, atlas.origin_mm) < 0
    shares = np.stack([at(c, mni, atlas.origin_mm) for c in atlas.channels])
    rng = np.random.default_rng(5)
    chi, magnitude = (
        np.where(mask, np.tensordot(levels, shares, axes=1) + rng.normal(0, noise, SHAPE), 0).astype(np.float32)
        for levels, noise in ((CHI_PPM, 0.01), (MAGNITUDE, 0.02))
    )
    labels = np.zeros(SHAPE, np.uint8)
    for number, (nucleus, sign) in enumerate(((n, s) for n in NUCLEI for s, _ in SIDES), start=1):
        labels[(ellipsoid_share(nucleus, sign, mni) > 0.5) & mask] = number
    grid = Grid(shape=SHAPE, voxel_size_mm=SIZE_MM, b0_direction=tuple(float(v) for v in affine[2, :3] / SIZE_MM))
    echoes = GradientEcho(
        magnitude=1000 * np.abs(magnitude)[None],
        phase_rad=np.zeros((1, *SHAPE), np.float32),
        echo_times_s=(0.02,),
        b0_tesla=3.0,
        grid=grid,
    )
    zero = np.zeros(SHAPE, np.float32)
    result = dataclasses.replace(
        make_reconstruction(grid),
        susceptibility=SusceptibilityMap(chi_ppm=chi, mask=mask, reference="whole-brain mean", grid=grid),
        total_field=dataclasses.replace(total_field_of(zero, zero, mask, grid), mask_method=mask_method),
    )
    return echoes, result, affine, labels
