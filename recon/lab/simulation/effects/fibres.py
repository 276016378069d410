"""Smooth fibre directions of white matter, fixed to the head."""

from __future__ import annotations

import torch

from recon.lab.simulation.lattice import Lattice
from recon.lab.simulation.template import sample

_CONTROLS, _STEP_MM = 14, 20.0
_FIRST_MM = (-130.0, -148.0, -122.0)


def fibre_directions(lattice: Lattice, seed: int) -> torch.Tensor:
    """Return unit vectors ``(3, x, y, z)`` in image axes that turn over about 20 mm."""
    generator = torch.Generator().manual_seed(seed)
    controls = torch.randn(3, _CONTROLS, _CONTROLS, _CONTROLS, generator=generator).to(lattice.template_mm.device)
    vectors = sample(controls, _FIRST_MM, _STEP_MM, lattice.template_mm)
    rotation = torch.tensor(lattice.scan.rotation, dtype=torch.float32, device=lattice.template_mm.device)
    vectors = torch.einsum("ij,jxyz->ixyz", rotation, vectors)
    length: torch.Tensor = torch.linalg.vector_norm(vectors, dim=0)
    return vectors / length.clamp(min=1e-6)


def squared_sine(fibres: torch.Tensor, b0_direction: tuple[float, float, float]) -> torch.Tensor:
    """Return the squared sine ``(x, y, z)`` of the angle between fibres ``(3, x, y, z)`` and B0."""
    b0 = torch.tensor(b0_direction, dtype=torch.float32, device=fibres.device)
    return 1.0 - torch.einsum("ixyz,i->xyz", fibres, b0) ** 2
