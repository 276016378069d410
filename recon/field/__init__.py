"""From wrapped phase to the total field: unwrapping, phase offsets, echo combination, and what went wrong."""

from recon.field.total import total_field
from recon.field.unwrap.romeo import Unwrapped, unwrap

__all__ = ["Unwrapped", "total_field", "unwrap"]
