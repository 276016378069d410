"""Phase offsets: the part of the phase that does not grow with the echo time."""
