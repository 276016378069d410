"""Errors between DICOM and typed data: one family, safe to show and to log."""


class DicomError(Exception):
    """Something could not be read from, or written to, DICOM."""


class Refusal(DicomError):  # noqa: N818  (a reason, not an error)
    """Input that is rejected, and why, in words for a technologist.

    The code is one of ``dicom_io.refusals.CATALOGUE``. The message says what was found, what was expected and what to
    do; it never holds patient data.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
