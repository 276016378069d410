"""What can go wrong in the service: one family; each message says found, expected, what to do."""


class PluginError(Exception):
    """The service cannot do what it was asked to do."""


class ConfigurationError(PluginError):
    """The configuration cannot be used; the message lists every mistake in it."""


class NoSuchFolderError(PluginError):
    """A folder of images that was named does not exist."""


class PortTakenError(PluginError):
    """Another program already listens on the port, or the address is not one of this machine."""

    def __init__(self, bind: str, port: int, reason: str) -> None:
        advice = "end the program that uses the port, or choose another port or bind address"
        super().__init__(f"cannot listen on {bind}:{port}: {reason}; {advice}")


class SpoolError(PluginError):
    """The spool folder cannot be used."""


class DamagedIndexError(SpoolError):
    """The index of the spool cannot be read; it can be made again from the images."""


class DeliveryError(PluginError):
    """A series could not be delivered to a destination."""


class UnreachableError(DeliveryError):
    """A peer cannot be reached, or rejects the association."""


class JobFailedError(PluginError):
    """A job ended without a result.

    ``code`` is a stable name of the reason, such as ``"missing-slices"``; ``sentence`` says what was found, what was
    expected and what to do, free of patient data.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence)
        self.code = code
        self.sentence = sentence

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}"
