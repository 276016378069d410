"""Head and brain masks from the magnitude, and what the phase leaves of them."""
