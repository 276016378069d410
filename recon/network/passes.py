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

from recon.network.consistency import FieldData, centred, field_data, steps_towards_field, unexplained_field
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
    Channels,
    FieldTensors,
    network_features,
    padded_to_stride,
)
from recon.network.void_unwrapping import Voids, unwrap_voids
from recon.types import Grid

Forward = Callable[[torch.Tensor], torch.Tensor]
"""A compiled network: ``(1, channel, x, y, z)`` to ``(1, 1, x, y, z)``, every axis a multiple of the stride."""


def measured_field(
    features: torch.Tensor, grid: Grid, *, reliable: torch.Tensor, closed_mask: torch.Tensor
) -> FieldData:
    """Return the local field of :func:`network_features`; what is left of the background in it is quickly removed.

    ``grid``, ``reliable`` and ``closed_mask`` are those of the field that the features were made of.
    """
    local = features[LOCAL_CHANNEL].float() * LOCAL_UNIT_PPM
    mask = features[MASK_CHANNEL] > 0.5
    return field_data(local, mask, grid, reliable=reliable, closed_mask=closed_mask, sweeps=NETWORK.sweeps)


def one_pass(features: Channels, forward: Forward, stride: int, *, mirrored: bool = False) -> torch.Tensor:
    """Run the network once on ``(channel, x, y, z)``, all axes reversed if ``mirrored``.

    Returns the susceptibility in ppm, ``(x, y, z)`` float32, relative to its mean over the mask, zero outside.
    """
    x, y, z = features[0].shape
    output = forward(padded_to_stride(features, stride, mirrored=mirrored))[0, 0].float()
    correction = (torch.flip(output, (0, 1, 2)) if mirrored else output)[:x, :y, :z]
    return centred((correction + features[START_CHANNEL].float()) * CHI_UNIT_PPM, features[MASK_CHANNEL] > 0.5)


def held_to(chi_ppm: torch.Tensor, data: FieldData) -> torch.Tensor:
    """Return a map ``(x, y, z)`` after the steps that follow every pass."""
    return steps_towards_field(chi_ppm, data, NETWORK.steps_per_pass)


def refined_channels(start_ppm: torch.Tensor, data: FieldData) -> torch.Tensor:
    """Return the start and residual channels of the next pass, ``(2, x, y, z)`` in the network's units.

    ``start_ppm`` is the map ``(x, y, z)`` of the last pass, held to the field.
    """
    return torch.stack([start_ppm / CHI_UNIT_PPM, unexplained_field(start_ppm, data) / LOCAL_UNIT_PPM])


def with_channels(features: torch.Tensor, refined: torch.Tensor) -> list[torch.Tensor]:
    """Return the channels of features, the start and residual channels replaced."""
    replaced = list(features)
    replaced[START_CHANNEL], replaced[RESIDUAL_CHANNEL] = refined
    return replaced


def susceptibility(measured: FieldTensors, forward: Forward, *, stride: int, passes: int) -> tuple[torch.Tensor, Voids]:
    """Return the susceptibility of a total field, and the field that it was made from.

    Where a first map shows that the phase in voids can be used, at the right turn, everything is made again from a
    field that holds it. Stride and passes are those of the network's :class:`recon.network.model.ModelConfig`; the
    map is ``(x, y, z)`` float32 in ppm, relative to its mean over the mask, zero outside.
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
    """Return the susceptibility as in :func:`susceptibility`, after all passes on features and their measured field."""
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
