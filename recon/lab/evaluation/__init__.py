"""How good fields and maps are, measured against the truth of simulated heads."""
