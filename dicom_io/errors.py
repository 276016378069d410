"""Errors between DICOM and typed data: one family, safe to show and to log."""


class DicomError(Exception):
    """Something could not be read from, or written to, DICOM."""


class Refusal(DicomError):  # noqa: N818  (a reason, not an error)
    """Input that is rejected, and why, in words for a technologist.

    Parameters
    ----------
    code
        Stable name of the reason, one of ``dicom_io.refusals.CATALOGUE``.
    message
        What was found, what was expected, what to do. Never holds patient data.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
