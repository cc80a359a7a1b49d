"""A request to a JetStream API that is asked again when its answer is lost. Knows nothing of what is asked."""

from nats.aio.client import Client
from nats.errors import TimeoutError as Unanswered

TRIES = 6  # of five seconds each: servers in a cluster drop what comes while they elect somebody


async def answered(client: Client, subject: str, payload: bytes = b"") -> tuple[bytes, bool]:
    """The answer, and whether it was asked for more than once, so that an earlier try may have been carried out."""
    for tried in range(TRIES):
        try:
            return (await client.request(subject, payload, timeout=5)).data, bool(tried)
        except Unanswered:
            continue
    raise AssertionError(f"{subject} was not answered in {TRIES} tries of 5 s")
