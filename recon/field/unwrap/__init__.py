"""Spatial unwrapping after ROMEO."""
