"""What the network is given of a field that is known."""

import torch

from recon.field.reliability import total_field_of
from recon.network.features import FieldTensors, field_tensors, network_features
from recon.network.passes import measured_field
from recon.types import Grid


def tensors_of(
    field_ppm: torch.Tensor, mask: torch.Tensor, noise_ppm: torch.Tensor, grid: Grid, ppm_per_2pi: float | None = None
) -> FieldTensors:
    volumes = (volume.numpy() for volume in (field_ppm, noise_ppm, mask))
    return field_tensors(total_field_of(*volumes, grid, ppm_per_2pi))


def features_of(field_ppm: torch.Tensor, mask: torch.Tensor, noise_ppm: torch.Tensor, grid: Grid) -> torch.Tensor:
    return network_features(tensors_of(field_ppm, mask, noise_ppm, grid))


def data_of(features: torch.Tensor, mask: torch.Tensor, grid: Grid):
    return measured_field(features, grid, reliable=mask, closed_mask=mask)
