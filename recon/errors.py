"""What can go wrong in the physics: one family, each message says found, expected, what to do."""


class ReconError(Exception):
    """A reconstruction cannot be done."""


class InvalidInputError(ReconError, ValueError):
    """The arrays or parameters handed in cannot be reconstructed; the message says which and why."""


class EngineError(ReconError):
    """An inference engine is missing, damaged or gives wrong numbers."""


class WeightsError(ReconError):
    """A weights file is missing, damaged or of another network."""
