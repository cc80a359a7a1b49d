"""How Headgate speaks: one JSON object a line, or a short line on a terminal, never a secret. Decides nothing."""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TextIO

HIDDEN: Final = "[hidden]"
SHORTEST: Final = 6  # a secret shorter than this would blot out ordinary words
STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
NOISY: Final = {"kopf": logging.WARNING, "asyncio": logging.WARNING, "aiohttp": logging.WARNING}

# What looks like a secret wherever it stands: credentials in an address, tokens, seeds of keys, private keys.
PATTERNS: Final = (
    (re.compile(r"(://)[^\s/@:]*(?::[^\s/@]*)?@"), rf"\1{HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"\bS[ACNOUX][A-Z2-7]{56}\b"), HIDDEN),
    (
        re.compile(
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        HIDDEN,
    ),
    (
        re.compile(
            r"(?i)(\b(?:password|passwd|secret|token|api[_-]?key)\b[\"']?\s*[=:]\s*[\"']?)[^\s\"',;&}]+"
        ),
        rf"\1{HIDDEN}",
    ),
)


class Form(StrEnum):
    """How log lines look."""

    AUTO = "auto"  # human on a terminal, else json
    JSON = "json"
    HUMAN = "human"


class Scrubber:
    """Takes secrets out of text: those it was told of, and whatever looks like one."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def learn(self, secrets: Iterable[bytes | str]) -> None:
        """Never let these values out again, nor any line of them that is long enough to be recognised."""
        before = len(self._known)
        for secret in secrets:
            text = secret.decode(errors="replace") if isinstance(secret, bytes) else secret
            pieces = {text.strip(), *(line.strip() for line in text.splitlines())}
            self._known |= {piece for piece in pieces if len(piece) >= SHORTEST}
        if len(self._known) != before:
            longest_first = sorted(self._known, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def clean(self, text: str) -> str:
        """The text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(HIDDEN, text)
        for pattern, replacement in PATTERNS:
            text = pattern.sub(replacement, text)
        return text


class JsonLines(logging.Formatter):
    """One JSON object a line, with the fields given as `extra`."""

    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__()
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        clean = self._scrubber.clean
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": clean(record.getMessage()),
        }
        line |= {key: _plain(value, self._scrubber) for key, value in _extras(record).items()}
        if record.exc_info:
            line["exception"] = clean(_trace(record))
        return json.dumps(line, ensure_ascii=False)


class ShortLines(logging.Formatter):
    """A line for a person: time, level where it matters, message, fields."""

    def __init__(self, scrubber: Scrubber) -> None:
        super().__init__()
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        fields = "".join(f"  {key}={value}" for key, value in _extras(record).items())
        trace = f"\n{_trace(record)}" if record.exc_info else ""
        return self._scrubber.clean(f"{at} {level}{record.getMessage()}{fields}{trace}")


def configure(
    *,
    level: str = "info",
    form: Form = Form.AUTO,
    stream: TextIO | None = None,
    scrubber: Scrubber | None = None,
) -> Scrubber:
    """Send all logging of the process through one handler; returns what has to be told of every secret."""
    stream = stream or sys.stderr
    scrubber = scrubber or Scrubber()
    human = form is Form.HUMAN or (form is Form.AUTO and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ShortLines(scrubber) if human else JsonLines(scrubber))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in NOISY.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    return scrubber


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in STANDARD}


def _plain(value: object, scrubber: Scrubber) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return scrubber.clean(str(value))


def _trace(record: logging.LogRecord) -> str:
    return "".join(traceback.format_exception(*record.exc_info)).rstrip() if record.exc_info else ""
