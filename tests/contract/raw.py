"""Publishes as a program may that builds its own protocol lines: header blocks that no client library would send."""

import asyncio
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

# None of one byte: a server that reads headers without bodies, which counting does, ends with a panic at such a block.
ODD: Final = {
    "bytes that are no text": b"NATS/1.0\r\nheadgate-group: \xff\xfe\x00\r\nheadgate-reason: \x80\r\n\r\n",
    "a line without a colon": b"NATS/1.0\r\nheadgate-group\r\n\r\n",
    "no version": b"headgate-group: a\r\n\r\n",
    "a name that is no text": b"NATS/1.0\r\n \xff: 1\r\nNats-\xff: 2\r\n\r\n",
    "no end": b"NATS/1.0\r\nheadgate-group: a",
    "nothing": b"NATS/1.0\r\n\r\n",
    "a status": b"NATS/1.0 404 No Messages\r\nheadgate-group: a/b\r\n\r\n",
    "a status that is no text": b"NATS/1.0 404 \xff\xfe\r\n\r\n",
    "half a status": b"NATS/1.0 4",
    "half a version": b"NA",
    "a version alone": b"NATS/1.0",
    "a header called status": b"NATS/1.0\r\nStatus: 503\r\n\r\n",
    "a folded line": b"NATS/1.0\r\nheadgate-group: a\r\n b\r\n\r\n",
    "a line feed inside": b"NATS/1.0\r\nheadgate-error: a\nb\rc\r\n\r\n",
    "the same header twice": b"NATS/1.0\r\nheadgate-group: a/x\r\nHeadgate-Group: b/x\r\n\r\n",
    "as much as fits": b"NATS/1.0\r\nheadgate-group: " + b"\xff" * 60_000 + b"\r\n\r\n",
}


async def publish_raw(url: str, messages: Iterable[tuple[str, bytes, bytes]]) -> None:
    """Subject, header block and body, as they are."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(b'CONNECT {"verbose":false,"headers":true}\r\n')
    for subject, block, body in messages:
        writer.write(b"HPUB %s %d %d\r\n" % (subject.encode(), len(block), len(block) + len(body)))
        writer.write(block + body + b"\r\n")
    writer.write(b"PING\r\n")
    await writer.drain()
    async with asyncio.timeout(5):
        while not (line := await reader.readline()).startswith(b"PONG"):
            assert line.startswith((b"INFO", b"PING")), line
    writer.close()
    await writer.wait_closed()
