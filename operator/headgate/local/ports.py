"""Free TCP ports of this machine. Does not know what will listen on them."""

import random
import socket

# Below the range the kernel gives to outgoing connections, so that nobody takes a port by chance while its server restarts.
FIRST, LAST = 20000, 32000
_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on and that this process did not give out before."""
    chance = random.SystemRandom()
    while True:
        port = chance.randint(FIRST, LAST)
        if port not in _given and _is_free(host, port):
            _given.add(port)
            return port


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
