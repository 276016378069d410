"""Tests of how jobs share a machine."""
