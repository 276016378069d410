"""BIDS datasets: gradient echoes in, derivatives out."""
