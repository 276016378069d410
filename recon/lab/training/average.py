"""The mean of trained networks of one origin: often better than either on both kinds of data.

Networks trained further from the same weights lie in one valley of the loss, and the mean of their weights lies deeper
in it than either (Wortsman et al. 2022, arXiv:2203.05482).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from recon.errors import WeightsError
from recon.network.model import TotalFieldNetwork


def mean_network(networks: Sequence[TotalFieldNetwork], shares: Sequence[float]) -> TotalFieldNetwork:
    """Return a network with the weighted mean of the weights of several; shares are scaled to a sum of 1.

    Raises
    ------
    WeightsError
        If there is no network, a share is missing, negative or not finite, all are zero, or the networks differ in
        their configuration.
    """
    if not networks or len(networks) != len(shares):
        raise WeightsError(f"found {len(networks)} networks and {len(shares)} shares; expected one share per network")
    if not all(0.0 <= share < float("inf") for share in shares) or not sum(shares) > 0.0:
        raise WeightsError(f"found shares {list(shares)}; expected numbers from zero up, not all of them zero")
    if any(network.config != networks[0].config for network in networks):
        raise WeightsError("the networks differ in size; only networks of one origin have a mean")
    mean = TotalFieldNetwork(networks[0].config)
    whole = sum(shares)
    states = [network.state_dict() for network in networks]
    mean.load_state_dict(
        {
            name: torch.stack([s[name].double() * (share / whole) for s, share in zip(states, shares, strict=True)])
            .sum(dim=0)
            .float()
            for name in states[0]
        }
    )
    return mean.eval().requires_grad_(False)
