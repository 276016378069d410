"""The least work that needs a network."""


def on(make):
    """Return work that runs the network once on what ``make`` gives for a device."""
    return lambda forward, device: forward(make(device))
