"""What makes a measurement hard: one file per effect, each a pure function on arrays."""
