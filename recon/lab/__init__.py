"""Simulation, training, evaluation and benchmarks; never imported at run time."""
