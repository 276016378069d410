"""What can go wrong in the physics: one family, each message says found, expected, what to do."""


class ReconError(Exception):
    """A reconstruction cannot be done."""


class InvalidInputError(ReconError, ValueError):
    """The arrays or parameters handed in cannot be reconstructed; the message says which and why."""


class MapError(ReconError):
    """A method cannot make a map of this field, or the map is not usable; another method may."""


class EngineError(ReconError):
    """An inference engine is missing, damaged or gives wrong numbers."""


class EngineAbsentError(EngineError):
    """An engine has nothing to run on or with here: no device, not installed, no engine file."""


class DeviceMemoryError(EngineError):
    """The engine's device has too little free memory just now."""


class WeightsError(ReconError):
    """A weights file is missing, damaged or of another network."""
