"""Apply a head plan on a lattice: susceptibility, relaxation, signal and labels of every point."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from recon.lab.simulation.lattice import Lattice
from recon.lab.simulation.shapes import Patch, paint_ellipsoid, paint_veins, soft_step
from recon.lab.simulation.template import Template, sample
from recon.lab.simulation.tissue import AIR_CHI_PPM, TISSUES
from recon.products.regions.nuclei import NUCLEI

_PLATE_MM = 1.8
"""Least bone between an air cavity and the brain."""
NUCLEUS_LABEL = {nucleus.tissue: i + 1 for i, nucleus in enumerate(NUCLEI)}
LESION_LABEL = {"haemorrhage": 20, "microbleed": 21, "calcification": 22}
VEIN_LABEL = 10
WHITE_MATTER_LABEL, GREY_MATTER_LABEL, CSF_LABEL = 30, 31, 32


@dataclass(frozen=True, kw_only=True)
class HeadVolumes:
    """What a head is made of on a lattice; all ``(x, y, z)``.

    Parameters
    ----------
    chi_ppm
        Susceptibility relative to water; air is +9.4.
    signal
        Signal at echo time zero, 0..1.
    r2star_per_s
        R2* at 3 T without the share of mesoscopic susceptibility.
    fat
        Share of fat, which precesses 3.4 ppm lower.
    brain
        True inside the brain's surface.
    label
        uint8 of the constants of this module; 0 elsewhere.
    """

    chi_ppm: torch.Tensor
    signal: torch.Tensor
    r2star_per_s: torch.Tensor
    fat: torch.Tensor
    brain: torch.Tensor
    label: torch.Tensor


def build_head(lattice: Lattice, template: Template) -> HeadVolumes:
    """Apply the lattice's head plan."""
    shares, distance = _tissue_shares(lattice, template)
    head = lattice.head
    chi = torch.zeros(lattice.shape)
    signal, r2star = torch.zeros_like(chi), torch.zeros_like(chi)
    texture = torch.zeros_like(chi)
    for name, share in shares.items():
        brain_part = name in ("white_matter", "grey_matter", "csf")
        chi += share * (head.chi_ppm[name] * (head.anatomy if brain_part else 1.0))
        signal += share * TISSUES[name].signal
        r2star += share * head.r2star_per_s[name]
        texture += share * TISSUES[name].texture_ppm
    made = HeadVolumes(
        chi_ppm=chi,
        signal=signal,
        r2star_per_s=r2star,
        fat=shares["fat"],
        brain=distance < 0,
        label=_matter_labels(shares),
    )
    _add_nuclei(lattice, made, texture)
    chi += texture * _unit_texture(lattice) * (head.texture_scale * head.anatomy)
    if head.fibre_ppm:
        chi += shares["white_matter"] * _fibre_pattern(lattice) * (head.fibre_ppm * head.anatomy)
    _add_shapes(lattice, made)
    _add_veins(lattice, made, distance)
    _add_lesions(lattice, made, distance)
    air = 1.0 - sum(shares.values(), torch.zeros_like(chi))
    chi += air * AIR_CHI_PPM
    made.label[~made.brain] = 0
    return made


def _tissue_shares(lattice: Lattice, template: Template) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return the share of each tissue in every voxel (the rest is air) and the distance to the brain."""
    points, head = lattice.template_mm, lattice.head
    width = sum(lattice.spacing_mm) / 3
    distance = sample(template.distance_mm, template.distance_origin_mm, 2.0, points)[0]
    grey, white = sample(template.tissue, template.tissue_origin_mm, 1.0, points)
    inside = soft_step(distance, width)
    total = torch.clamp(grey + white, min=1.0)
    grey, white = grey / total * inside, white / total * inside
    fluid_edge = soft_step(distance - head.gap_mm, width)
    skull_edge = soft_step(distance - head.gap_mm - head.skull_mm, width)
    scalp_edge = soft_step(distance - head.gap_mm - head.skull_mm - head.scalp_mm, width)
    solid = torch.clamp(1.0 - _cavity_share(lattice, distance), 0.0, 1.0)
    skin = torch.maximum(scalp_edge, _face_and_neck(points, head.neck_radius_mm, width))
    shares = {
        "white_matter": white,
        "grey_matter": grey,
        "csf": fluid_edge - grey - white,
        "bone": (skull_edge - fluid_edge) * solid,
        "fat": (scalp_edge - skull_edge) * solid,
        "muscle": (skin - scalp_edge) * solid,
    }
    return shares, distance


def _cavity_share(lattice: Lattice, distance_mm: torch.Tensor) -> torch.Tensor:
    """Return the share of air from sinuses, mastoids and airways."""
    air = torch.zeros(lattice.shape)
    for cavity in lattice.head.cavities:
        patch = paint_ellipsoid(cavity, lattice)
        if patch is not None:
            air[patch.window] = torch.maximum(air[patch.window], patch.coverage)
    return air * soft_step(_PLATE_MM - distance_mm, sum(lattice.spacing_mm) / 3)


def _face_and_neck(points_mm: torch.Tensor, neck_radius_mm: float, width_mm: float) -> torch.Tensor:
    """Return the share of soft tissue of the face (an ellipsoid) and of the neck (a long cylinder)."""
    x, y, z = points_mm.unbind(-1)
    face = torch.sqrt((x / 62) ** 2 + ((y - 25) / 66) ** 2 + ((z + 62) / 64) ** 2)
    neck = torch.sqrt(x**2 + (y + 28) ** 2) - neck_radius_mm
    below = soft_step(z + 45.0, width_mm)
    return torch.maximum(soft_step((face - 1.0) * 64, width_mm), soft_step(neck, width_mm) * below)


def _matter_labels(shares: dict[str, torch.Tensor]) -> torch.Tensor:
    """Label voxels that are clearly white matter, grey matter or fluid."""
    label = torch.zeros_like(shares["csf"], dtype=torch.uint8)
    label[shares["white_matter"] > 0.9] = WHITE_MATTER_LABEL
    label[shares["grey_matter"] > 0.8] = GREY_MATTER_LABEL
    label[shares["csf"] > 0.9] = CSF_LABEL
    return label


def _mix(volume: torch.Tensor, patch: Patch, value: float | torch.Tensor) -> None:
    """Replace the covered share of each voxel by ``value``."""
    volume[patch.window] += patch.coverage * (value - volume[patch.window])


def _add_nuclei(lattice: Lattice, made: HeadVolumes, texture_ppm: torch.Tensor) -> None:
    """Put the deep grey nuclei in."""
    for nucleus in lattice.head.nuclei:
        patch = paint_ellipsoid(nucleus.shape, lattice)
        if patch is None:
            continue
        inner = Patch(window=patch.window, coverage=patch.coverage * made.brain[patch.window], depth=patch.depth)
        tissue = TISSUES[nucleus.tissue]
        _mix(made.chi_ppm, inner, nucleus.chi_ppm * lattice.head.anatomy)
        _mix(made.signal, inner, tissue.signal)
        _mix(made.r2star_per_s, inner, tissue.r2star_per_s)
        _mix(texture_ppm, inner, tissue.texture_ppm)
        made.label[patch.window][inner.coverage > 0.9] = NUCLEUS_LABEL[nucleus.tissue]


def _add_shapes(lattice: Lattice, made: HeadVolumes) -> None:
    """Add the random shapes inside the brain."""
    for item in lattice.head.shapes:
        patch = paint_ellipsoid(item.shape, lattice)
        if patch is not None:
            made.chi_ppm[patch.window] += patch.coverage * made.brain[patch.window] * item.chi_ppm


def _add_veins(lattice: Lattice, made: HeadVolumes, distance_mm: torch.Tensor) -> None:
    """Put veins in, inside the skull."""
    coverage, weighted = paint_veins(lattice.head.veins, lattice)
    inside = soft_step(distance_mm - lattice.head.gap_mm - 2.0, sum(lattice.spacing_mm) / 3)
    coverage, weighted = coverage * inside, weighted * inside
    made.chi_ppm.add_(weighted - coverage * made.chi_ppm)
    made.signal.add_(coverage * (TISSUES["vein"].signal - made.signal))
    made.label[coverage > 0.7] = VEIN_LABEL


def _add_lesions(lattice: Lattice, made: HeadVolumes, distance_mm: torch.Tensor) -> None:
    """Put lesions in; they may reach the brain's surface but not the bone."""
    inside = soft_step(distance_mm - lattice.head.gap_mm, sum(lattice.spacing_mm) / 3)
    for lesion in lattice.head.lesions:
        patch = paint_ellipsoid(lesion.shape, lattice)
        if patch is None:
            continue
        inner = Patch(window=patch.window, coverage=patch.coverage * inside[patch.window], depth=patch.depth)
        rim = torch.clamp((patch.depth - 0.6) / 0.2, 0.0, 1.0)
        _mix(made.chi_ppm, inner, lesion.chi_ppm + rim * (lesion.rim_chi_ppm - lesion.chi_ppm))
        _mix(made.signal, inner, 0.25 if lesion.kind == "calcification" else 0.7)
        made.label[patch.window][inner.coverage > 0.5] = LESION_LABEL[lesion.kind]


def _fibre_pattern(lattice: Lattice) -> torch.Tensor:
    """Return a smooth pattern of unit standard deviation with structure of about 15 mm, fixed to the head."""
    generator = torch.Generator().manual_seed(lattice.head.texture_seed + 1)
    controls = torch.randn(1, 18, 18, 18, generator=generator)
    pattern = sample(controls, (-128.0, -146.0, -120.0), 15.0, lattice.template_mm)[0]
    return pattern / pattern.std()


def _unit_texture(lattice: Lattice) -> torch.Tensor:
    """Return texture of unit standard deviation: half patches of 4 voxels, half fine grain."""
    generator = torch.Generator().manual_seed(lattice.head.texture_seed)
    coarse_shape = [n // 4 + 2 for n in lattice.shape]
    coarse = torch.randn(1, 1, *coarse_shape, generator=generator)
    coarse = torch.nn.functional.interpolate(coarse, size=lattice.shape, mode="trilinear", align_corners=False)
    fine = torch.randn(1, 1, *lattice.shape, generator=generator)
    fine = torch.nn.functional.avg_pool3d(fine, 3, stride=1, padding=1)
    both = coarse[0, 0] / coarse.std() + fine[0, 0] / fine.std()
    return both / both.std()
