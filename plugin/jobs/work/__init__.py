"""How jobs share a machine: order, free space, and what becomes of work that nobody ends."""
