"""Facts of anatomy that run-time code and the simulation share."""
