"""How much memory a connection to the API server takes. Knows nothing of what goes over it."""

from asyncio import sslproto
from typing import Final

TAKEN_AT_ONCE: Final = 2**15  # bytes; a TLS record has at most half of that


def keep_small() -> None:
    """From now on every TLS connection of this process has a small buffer.

    The standard library gives each 256 KiB, used or not: with the connections for watches and for writes at the same
    time that is more than a thousand topics take.
    """
    sslproto.SSLProtocol.max_size = TAKEN_AT_ONCE
