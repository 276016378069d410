"""Which images belong together, in which place, and what is missing."""
