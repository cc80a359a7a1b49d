"""How durations, sizes, decimals and times are written, read back and bounded. Knows no kind."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any, Final

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from headgate.api.rules import (
    DECIMAL_HELP,
    DECIMAL_PATTERN,
    DECIMAL_TEXT,
    DURATION_HELP,
    DURATION_PATTERN,
    DURATION_TEXT,
    SIZE_HELP,
    SIZE_PATTERN,
    SIZE_TEXT,
    Rule,
    is_decimal,
    is_duration,
    is_size,
)

Int = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]

OWN_ERROR: Final = "headgate"  # the type of errors whose text is ours and may be shown as it is
WRITTEN: Final = "written"  # validation context of what users wrote, where a bare number is no size
_BINARY: Final = ("", "Ki", "Mi", "Gi", "Ti", "Pi")
_MILLISECONDS: Final = {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_FACTORS: Final = {
    "": 1,
    **{unit: 1024**n for n, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), 1)},
    **{unit: 1000**n for n, unit in enumerate(("k", "M", "G", "T", "P"), 1)},
}
_DIGITS: Final = 99_999  # the largest number in front of a unit


def parse_duration(text: str) -> timedelta:
    """The duration that the text writes; ValueError where it writes none."""
    if not re.fullmatch(DURATION_PATTERN.strip("^$"), text):
        raise ValueError(DURATION_HELP)
    parts = re.findall(r"([0-9]+)(ms|h|m|s)", text)
    return timedelta(milliseconds=sum(int(number) * _MILLISECONDS[unit] for number, unit in parts))


def format_duration(value: timedelta) -> str:
    """The shortest text of a duration, at most five digits before a unit; parts below a millisecond are cut off."""
    rest = value // timedelta(milliseconds=1)
    if rest < 0 or rest // _MILLISECONDS["h"] > _DIGITS:
        raise ValueError(f"a duration is written from 0s to {_DIGITS}h")
    parts = []
    for unit, size in _MILLISECONDS.items():
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def parse_size(text: str) -> int:
    """The bytes that the text writes, rounded up; ValueError where it writes none."""
    if not re.fullmatch(SIZE_PATTERN.strip("^$"), text):
        raise ValueError(SIZE_HELP)
    number = text.rstrip("KMGTPki")
    return int((Decimal(number) * _FACTORS[text[len(number) :]]).to_integral_value(ROUND_CEILING))


def format_size(value: int) -> str:
    """The exact size in the largest binary unit that divides it: 1Mi, 1040Ki, 1000."""
    unit = 0
    while value and value % 1024 == 0 and unit < len(_BINARY) - 1:
        value //= 1024
        unit += 1
    return f"{value}{_BINARY[unit]}"


def coarse_size(value: int) -> str:
    """A size for people, two significant digits: 3.1Gi."""
    return _coarse(value, 1024, _BINARY)


def format_count(value: int) -> str:
    """A count for people, two significant digits: 1.2M."""
    return _coarse(value, 1000, ("", "k", "M", "G", "T", "P"))


def _coarse(value: int, step: int, units: tuple[str, ...]) -> str:
    number, unit = Decimal(value), 0
    while round(number, 1) >= step and unit < len(units) - 1:
        number, unit = number / step, unit + 1
    tenths = round(number, 1) if unit and round(number, 1) < 10 else round(number)  # noqa: PLR2004  (two digits)
    return f"{tenths}".removesuffix(".0") + units[unit]


def parse_decimal(text: str) -> Decimal:
    """The number that the text writes; ValueError where it writes none."""
    if not re.fullmatch(DECIMAL_PATTERN.strip("^$"), text):
        raise ValueError(DECIMAL_HELP)
    return Decimal(text)


def format_decimal(value: Decimal) -> str:
    """The number without exponent and trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def parse_time(text: str) -> datetime:
    """The moment that RFC 3339 text names; ValueError where it names none."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text):
        raise ValueError("write a time like 2026-11-01T00:00:00Z")
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text.upper())).astimezone(UTC)


def format_time(value: datetime) -> str:
    """The moment in UTC, whole seconds."""
    return value.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Written:
    """A value that is a string in YAML and something better in Python; what a bound says is text as users write it."""

    least: str = ""
    most: str = ""

    def parse(self, text: str) -> Any:  # noqa: ANN401  (each subclass narrows it)
        """The Python value of the text."""
        raise NotImplementedError

    def render(self, value: Any) -> str:  # noqa: ANN401  (each subclass narrows it)
        """The text of the Python value."""
        raise NotImplementedError

    def schema(self) -> dict[str, object]:
        """What the API server checks without CEL."""
        return {"type": "string", "minLength": 1, "maxLength": 32}

    def rules(self) -> tuple[Rule, ...]:
        """What the API server checks with CEL."""
        return ()

    @property
    def bounds(self) -> str:
        """The bounds as a sentence."""
        match bool(self.least), bool(self.most):
            case True, True:
                return f"must be from {self.least} to {self.most}"
            case True, False:
                return f"must be at least {self.least}"
            case False, True:
                return f"must be at most {self.most}"
            case _:
                return ""

    def validate(self, raw: object) -> object:
        """The checked Python value of text or of a value that is one already."""
        try:
            value = self.parse(raw) if isinstance(raw, str) else raw
        except ValueError as error:
            raise PydanticCustomError(OWN_ERROR, "{text}", {"text": str(error)}) from None
        if (self.least and value < self.parse(self.least)) or (self.most and value > self.parse(self.most)):
            raise PydanticCustomError(OWN_ERROR, "{text}", {"text": self.bounds})
        return value

    def _typed(self, kind: type, raw: object, help_text: str) -> object:
        if not isinstance(raw, (str, kind)) or isinstance(raw, bool):
            raise PydanticCustomError(OWN_ERROR, "{text}", {"text": help_text})
        return self.validate(raw)

    def _core(self, check: Callable[[object], object]) -> core_schema.CoreSchema:
        render = core_schema.plain_serializer_function_ser_schema(self.render, when_used="json-unless-none")
        return core_schema.no_info_plain_validator_function(check, serialization=render)

    def _bound(self, rule: str, guard: str, at_least: str, at_most: str) -> tuple[Rule, ...]:
        parts = [at_least.format(self.least)] if self.least else []
        parts += [at_most.format(self.most)] if self.most else []
        return (Rule(rule, f"!{guard} || ({' && '.join(parts)})", self.bounds),) if parts else ()


@dataclass(frozen=True, slots=True)
class DurationText(Written):
    """A duration from `least` to `most`."""

    def parse(self, text: str) -> timedelta:
        return parse_duration(text)

    def render(self, value: timedelta) -> str:
        return format_duration(value)

    def rules(self) -> tuple[Rule, ...]:
        shape = Rule(DURATION_TEXT, is_duration("self"), DURATION_HELP)
        least, most = "duration(self) >= duration('{}')", "duration(self) <= duration('{}')"
        return (shape, *self._bound(DURATION_TEXT, is_duration("self"), least, most))

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return self._core(lambda raw: self._typed(timedelta, raw, DURATION_HELP))


@dataclass(frozen=True, slots=True)
class SizeText(Written):
    """A size in bytes from `least` to `most`."""

    most: str = "1024Pi"

    def parse(self, text: str) -> int:
        return parse_size(text)

    def render(self, value: int) -> str:
        return format_size(value)

    def rules(self) -> tuple[Rule, ...]:
        shape = Rule(SIZE_TEXT, is_size("self"), SIZE_HELP)
        least, most = (
            "quantity(self).compareTo(quantity('{}')) >= 0",
            "quantity(self).compareTo(quantity('{}')) <= 0",
        )
        return (shape, *self._bound(SIZE_TEXT, is_size("self"), least, most))

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        render = core_schema.plain_serializer_function_ser_schema(self.render, when_used="json-unless-none")
        return core_schema.with_info_plain_validator_function(self._size, serialization=render)

    def _size(self, raw: object, info: core_schema.ValidationInfo) -> object:
        return self._typed(str if info.context == WRITTEN else int, raw, SIZE_HELP)


@dataclass(frozen=True, slots=True)
class DecimalText(Written):
    """A decimal number from `least` to `most`; never a float, which rounds."""

    def parse(self, text: str) -> Decimal:
        return parse_decimal(text)

    def render(self, value: Decimal) -> str:
        return format_decimal(value)

    def rules(self) -> tuple[Rule, ...]:
        shape = Rule(DECIMAL_TEXT, is_decimal("self"), DECIMAL_HELP)
        least, most = "double(self) >= double('{}')", "double(self) <= double('{}')"
        return (shape, *self._bound(DECIMAL_TEXT, is_decimal("self"), least, most))

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return self._core(lambda raw: self._typed(Decimal, raw, DECIMAL_HELP))


@dataclass(frozen=True, slots=True)
class TimeText(Written):
    """A moment, UTC and whole seconds in Python and when written."""

    def parse(self, text: str) -> datetime:
        return parse_time(text)

    def render(self, value: datetime) -> str:
        return format_time(value)

    def schema(self) -> dict[str, object]:
        return {"type": "string", "format": "date-time"}

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return self._core(self._moment)

    def _moment(self, raw: object) -> object:
        aware = isinstance(raw, str) or (isinstance(raw, datetime) and raw.tzinfo is not None)
        if not aware:
            raise PydanticCustomError(OWN_ERROR, "{text}", {"text": "write a time like 2026-11-01T00:00:00Z"})
        value = self.validate(raw)
        return value.astimezone(UTC).replace(microsecond=0) if isinstance(value, datetime) else value


Duration = Annotated[timedelta, DurationText()]
Size = Annotated[int, SizeText()]
DecimalString = Annotated[Decimal, DecimalText()]
Timestamp = Annotated[datetime, TimeText()]


@dataclass(frozen=True, slots=True)
class Text:
    """A string that has to look like `pattern`; `help` says so in words."""

    pattern: str
    help: str
    rule: str
    longest: int = 253

    def rules(self) -> tuple[Rule, ...]:
        """What the API server checks with CEL."""
        return (Rule(self.rule, f"self.matches('{self.pattern}')", self.help),)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if len(value) > self.longest:
            raise PydanticCustomError(
                OWN_ERROR, "{text}", {"text": f"must have at most {self.longest} characters"}
            )
        if not re.fullmatch(self.pattern, value):
            raise PydanticCustomError(OWN_ERROR, "{text}", {"text": self.help})
        return value


@dataclass(frozen=True, slots=True)
class Capped:
    """A list in status that is cut to its first entries, so that no status write is ever refused for its length."""

    most: int

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(self._cut, handler(source))

    def _cut(self, value: object) -> object:
        return value[: self.most] if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True, slots=True)
class ListOf:
    """How the API server merges a list: as a set, by keys, or as a whole."""

    kind: str = "atomic"
    keys: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: tuple[object, ...]) -> tuple[object, ...]:
        if self.kind == "set" and len(set(value)) < len(value):
            raise PydanticCustomError(OWN_ERROR, "{text}", {"text": "must not hold the same entry twice"})
        return value
