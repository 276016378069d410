"""From a made series to its destinations: what goes where, attempts to send it, and which peers are away."""
