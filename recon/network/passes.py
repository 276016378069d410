"""From features to susceptibility: the network, held to the field and run again with the same weights.

The second pass sees the first one's map after steps of data consistency in place of the closed form, and what the
field has left in place of the closed form's residual. FFTs stay outside the compiled network.

The second pass sees all of it through a point mirror. A dipole's field is the same there, whatever the field's
direction, so that the physics stays as it is; what the network has learned is only nearly so, and what one pass gets
wrong by its own handedness, the other corrects.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from recon.network.consistency import FieldData, centred, consistent_step, field_data, unexplained_field
from recon.network.constants import NETWORK
from recon.network.features import (
    CHI_UNIT_PPM,
    FIELD_UNIT_PPM,
    LOCAL_CHANNEL,
    LOCAL_UNIT_PPM,
    MASK_CHANNEL,
    RESIDUAL_CHANNEL,
    START_CHANNEL,
    TOTAL_CHANNEL,
    FieldTensors,
    network_features,
    pad_to_stride,
    start_map,
)
from recon.network.void_unwrapping import Voids, unwrap_voids
from recon.types import Grid

_SPACE = (2, 3, 4)

Forward = Callable[[torch.Tensor], torch.Tensor]
"""A compiled network: ``(1, channel, x, y, z)`` to ``(1, 1, x, y, z)``, every axis a multiple of the stride."""


def measured_field(
    features: torch.Tensor, grid: Grid, *, reliable: torch.Tensor, closed_mask: torch.Tensor
) -> FieldData:
    """Return the local field of features; what is left in it of the background is small, and quickly removed.

    Parameters
    ----------
    features
        ``(channel, x, y, z)`` from :func:`recon.network.features.network_features`.
    grid, reliable, closed_mask
        As in the :class:`recon.network.features.FieldTensors` that the features were made of.
    """
    local = features[LOCAL_CHANNEL].float() * LOCAL_UNIT_PPM
    mask = features[MASK_CHANNEL] > 0.5
    return field_data(local, mask, grid, reliable=reliable, closed_mask=closed_mask, sweeps=NETWORK.sweeps)


def one_pass(features: torch.Tensor, forward: Forward, stride: int, *, mirrored: bool = False) -> torch.Tensor:
    """Run the network once.

    Parameters
    ----------
    features
        ``(channel, x, y, z)`` float32.
    forward
        The network.
    stride
        Every axis is padded to a multiple of this.
    mirrored
        Show the network all axes reversed.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 susceptibility in ppm, relative to its mean over the mask, zero outside.
    """
    x, y, z = features.shape[1:]
    stack = torch.zeros(1, features.shape[0], *pad_to_stride((x, y, z), stride), device=features.device)
    stack[0, :, :x, :y, :z] = features
    seen = torch.flip(stack, _SPACE) if mirrored else stack
    output = forward(seen).float()
    output = (torch.flip(output, _SPACE) if mirrored else output) + start_map(stack)
    return centred(output[0, 0, :x, :y, :z] * CHI_UNIT_PPM, features[MASK_CHANNEL] > 0.5)


def held_to(chi_ppm: torch.Tensor, data: FieldData) -> torch.Tensor:
    """Return a map ``(x, y, z)`` after the steps that follow every pass."""
    for _ in range(NETWORK.steps_per_pass):
        chi_ppm = consistent_step(chi_ppm, data)
    return chi_ppm


def refined_channels(start_ppm: torch.Tensor, data: FieldData) -> torch.Tensor:
    """Return what replaces the start and residual channels in the next pass.

    Parameters
    ----------
    start_ppm
        ``(x, y, z)`` map of the last pass, held to the field.
    data
        The measured field.

    Returns
    -------
    torch.Tensor
        ``(2, x, y, z)`` float32 in the network's units.
    """
    return torch.stack([start_ppm / CHI_UNIT_PPM, unexplained_field(start_ppm, data) / LOCAL_UNIT_PPM])


def with_channels(features: torch.Tensor, refined: torch.Tensor) -> torch.Tensor:
    """Return features with the start and residual channels replaced."""
    replaced = features.clone()
    replaced[START_CHANNEL], replaced[RESIDUAL_CHANNEL] = refined[0], refined[1]
    return replaced


def susceptibility(measured: FieldTensors, forward: Forward, *, stride: int, passes: int) -> tuple[torch.Tensor, Voids]:
    """Return the susceptibility of a total field, and what became of its voids.

    Where a first map shows that the phase in voids can be used, at the right turn, everything is made again from a
    field that holds it.

    Parameters
    ----------
    measured
        The total field.
    forward
        The network.
    stride, passes
        Of the network's :class:`recon.network.model.ModelConfig`.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, relative to its mean over the mask, zero outside.
    Voids
        The field that the map was made from.
    """
    features, data = _seen_and_held_to(measured)
    start = held_to(one_pass(features, forward, stride), data)
    voids = unwrap_voids(start, data, measured, usable_ppm=features[TOTAL_CHANNEL] * FIELD_UNIT_PPM)
    if not bool(voids.regained.any()):
        return further_passes(start, features, data, forward, stride=stride, passes=passes), voids
    features, data = _seen_and_held_to(measured.believed(voids.field_ppm, measured.reliable | voids.regained))
    return run_passes(features, data, forward, stride=stride, passes=passes), voids


def _seen_and_held_to(measured: FieldTensors) -> tuple[torch.Tensor, FieldData]:
    """Return what the network sees of a total field, and what its maps are held to."""
    features = network_features(measured)
    data = measured_field(features, measured.grid, reliable=measured.reliable, closed_mask=measured.closed_mask)
    return features, data


def run_passes(features: torch.Tensor, data: FieldData, forward: Forward, *, stride: int, passes: int) -> torch.Tensor:
    """Return the susceptibility after all passes, each followed by steps towards the field.

    Parameters
    ----------
    features
        ``(channel, x, y, z)`` float32 from :func:`recon.network.features.network_features`.
    data
        Their :func:`measured_field`.
    forward
        The network.
    stride, passes
        Of the network's :class:`recon.network.model.ModelConfig`.

    Returns
    -------
    torch.Tensor
        ``(x, y, z)`` float32 in ppm, relative to its mean over the mask, zero outside.
    """
    start = held_to(one_pass(features, forward, stride), data)
    return further_passes(start, features, data, forward, stride=stride, passes=passes)


def further_passes(
    start_ppm: torch.Tensor, features: torch.Tensor, data: FieldData, forward: Forward, *, stride: int, passes: int
) -> torch.Tensor:
    """Return what all passes but the first make of the first one's map, held to the field."""
    for number in range(1, passes):
        seen = with_channels(features, refined_channels(start_ppm, data))
        start_ppm = held_to(one_pass(seen, forward, stride, mirrored=number % 2 == 1), data)
    return start_ppm
