"""What derived objects share: their sources, the series context, references, derivation, numbers."""
