"""From wrapped phase to the total field: unwrapping, phase offsets, echo combination, and what went wrong."""

from recon.phase.romeo import Unwrapped, unwrap
from recon.phase.total import total_field

__all__ = ["Unwrapped", "total_field", "unwrap"]
