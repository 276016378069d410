"""Training of the network: subjects drawn, simulated, pooled on disk, learned from."""
