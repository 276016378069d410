"""The network of total field inversion: what it sees, what it is, where its weights are."""
