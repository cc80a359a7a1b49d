"""What can go wrong while a local cluster is made, with stable reasons. Knows nothing of who asked for it."""


class LocalError(Exception):
    """A part of the local cluster could not be had, started or reached; the message says what to do."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
