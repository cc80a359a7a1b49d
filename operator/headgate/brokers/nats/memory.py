"""A JetStream server in memory: the same questions, the same answers, as far as Headgate asks. Stores no bodies, waits for nothing.

It is what the fake broker answers from; whatever a real server refuses, this refuses with the same code.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from headgate.brokers.nats.documents import Json, load_consumer, load_stream
from headgate.brokers.nats.jetstream import (
    CONSUMER_EXISTS,
    CONSUMER_GONE,
    NO_CONSUMER,
    NO_MESSAGE,
    NO_STREAM,
    STREAM_EXISTS,
    SUBJECTS_OVERLAP,
    JetStream,
)
from headgate.brokers.nats.resources import (
    CONSUMER_SINCE,
    STREAM_SINCE,
    Consumer,
    Since,
    Stream,
    consumer_key,
    stream_key,
)
from headgate.brokers.nats.store import Durable, Store
from headgate.brokers.nats.tally import Head, Tally
from headgate.brokers.nats.times import written
from headgate.core.resource import FieldClass, Key, settings_of
from headgate.core.subjects import matches, overlaps

Clock = Callable[[], datetime]
_PAGE: Final = 256
_DROPS_UNKNOWN: Final = 1  # up to this API level settings that are not known are dropped in silence
_INVALID: Final = 10052
_CONSUMER_INVALID: Final = 10012
_MOVE_AND_SCALE: Final = 10123
_NO_LEADER: Final = 10008
_REPLICAS: Final = 10074
_UNKNOWN_FIELD: Final = 10025
_BAD_REQUEST: Final = 10003
_STREAM_DEFAULTS: Final = {
    "retention": "limits",
    "storage": "file",
    "discard": "old",
    "num_replicas": 1,
    "duplicate_window": 120_000_000_000,
}
_CONSUMER_DEFAULTS: Final = {
    "deliver_policy": "all",
    "ack_policy": "none",
    "ack_wait": 30_000_000_000,
    "max_deliver": -1,
    "max_ack_pending": 1000,
    "max_waiting": 512,
    "replay_policy": "instant",
}


_WORDS: Final = {  # what the server says of a setting that stays as it is
    "storage": "stream configuration update can not change storage type",
    "retention": "stream configuration update can not change retention policy to/from workqueue",
    "deny_delete": "stream configuration update can not cancel deny message deletes",
    "deny_purge": "stream configuration update can not cancel deny purge",
    "allow_msg_ttl": "message TTL status can not be disabled",
    "allow_msg_schedules": "message schedules can not be disabled",
    "allow_msg_counter": "stream configuration update can not change message counter setting",
    "persist_mode": "stream configuration update can not change persist mode",
    "mem_storage": "storage type can not be updated",
}


class Refusal(Exception):  # noqa: N818  (an answer, not a fault)
    """An error code to answer with."""

    def __init__(self, code: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.code, self.text, self.status = code, text, status


class MemoryJetStream(JetStream):
    """Answers from memory."""

    def __init__(self, clock: Clock, *, level: int, nodes: int) -> None:
        self.clock, self.level, self.nodes = clock, level, nodes
        self.stores: dict[str, Store] = {}
        self.asked: list[str] = []  # every question, for tests that count
        self.leaderless: set[Key] = set()  # objects for which nobody can answer

    @property
    def connection(self) -> object:
        return self

    @property
    def clustered(self) -> bool:
        return False

    async def _answer(self, verb: str, body: Json | None, limit: float | None) -> Json:
        del limit
        self.asked.append(verb)
        try:
            self._reach(verb.split("."))
            return self._do(verb.split("."), body or {})
        except Refusal as refusal:
            return {"error": {"code": refusal.status, "err_code": refusal.code, "description": refusal.text}}

    def _scrub(self, text: str) -> str:
        return text

    def _reach(self, verb: list[str]) -> None:
        """Whoever asks about an object without a leader, or about one inside it, learns only that."""
        stream, durable = next(iter(verb[2:]), ""), next(iter(verb[3:]), "")
        asked = {stream_key(stream)} if verb[0] == "STREAM" else {consumer_key(stream, durable)}
        if (asked | {stream_key(stream)}) & self.leaderless:
            raise Refusal(_NO_LEADER, "JetStream system temporarily unavailable", 503)

    async def scan(self, stream: str, tally: Tally) -> None:
        """What the scanner of a real server does."""
        for message in list(self.stores[stream].messages.values()):
            if message.sequence > tally.last:
                tally.add(Head.of(message.sequence, message.subject, dict(message.headers), message.at))

    def _do(self, verb: list[str], body: Json) -> Json:
        verbs: dict[str, Callable[..., Json]] = {
            "INFO": self._account,
            "STREAM.LIST": self._list_streams,
            "STREAM.NAMES": self._names,
            "STREAM.INFO": self._stream_info,
            "STREAM.CREATE": self.create_stream,
            "STREAM.UPDATE": self._update_stream,
            "STREAM.DELETE": self._delete_stream,
            "STREAM.MSG.GET": self._message,
            "CONSUMER.LIST": self._list_consumers,
            "CONSUMER.INFO": self._consumer_info,
            "CONSUMER.CREATE": self.put_consumer,
            "CONSUMER.PAUSE": self._pause,
            "CONSUMER.DELETE": self._delete_consumer,
        }
        for length in (1, 2, 3):
            if found := verbs.get(".".join(verb[:length])):
                return found(*verb[length:], body)
        raise Refusal(_BAD_REQUEST, f"bad request: {'.'.join(verb)}")

    def _account(self, _body: Json) -> Json:
        return {"api": {"level": self.level} if self.level else {}, "limits": {}}

    def _list_streams(self, body: Json) -> Json:
        infos = {stream_key(name): self.stores[name].info(self.clock()) for name in sorted(self.stores)}
        return self._page(infos, "streams", body)

    def _names(self, body: Json) -> Json:
        return {
            "streams": [
                name for name, store in self.stores.items() if _clash(store.config, (body["subject"],))
            ]
        }

    def _stream_info(self, name: str, _body: Json) -> Json:
        return self._store(name).info(self.clock())

    def _delete_stream(self, name: str, _body: Json) -> Json:
        self._store(name)
        del self.stores[name]
        return {"success": True}

    def _list_consumers(self, stream: str, body: Json) -> Json:
        store = self._store(stream)
        infos = {
            consumer_key(stream, name): store.progress(name, stream, self.clock())
            for name in sorted(store.durables)
        }
        return self._page(infos, "consumers", body)

    def _page(self, infos: Mapping[Key, Json], name: str, body: Json) -> Json:
        """One page of objects; of those for which nobody answers only the names."""
        offset = int(body.get("offset", 0))
        page = dict(list(infos.items())[offset : offset + _PAGE])
        return {
            "total": len(infos),
            "offset": offset,
            "limit": _PAGE,
            name: [info for key, info in page.items() if key not in self.leaderless],
            "missing": [key.name.rpartition("/")[2] for key in page if key in self.leaderless],
        }

    def _consumer_info(self, stream: str, name: str, _body: Json) -> Json:
        self._durable(stream, name)
        return self.stores[stream].progress(name, stream, self.clock())

    def _pause(self, stream: str, name: str, body: Json) -> Json:
        self._durable(stream, name).config["pause_until"] = body.get("pause_until")
        return {"pause_until": body.get("pause_until")}

    def _delete_consumer(self, stream: str, name: str, _body: Json) -> Json:
        self._durable(stream, name)
        del self.stores[stream].durables[name]
        return {"success": True}

    def _store(self, name: str) -> Store:
        if name not in self.stores:
            raise Refusal(NO_STREAM, "stream not found", 404)
        return self.stores[name]

    def _durable(self, stream: str, name: str) -> Durable:
        store = self._store(stream)
        if name not in store.durables:
            raise Refusal(NO_CONSUMER, "consumer not found", 404)
        return store.durables[name]

    def create_stream(self, name: str, body: Json) -> Json:
        """STREAM.CREATE."""
        config = {**_STREAM_DEFAULTS, **self._known(body, STREAM_SINCE), "name": name}
        found = self.stores.get(name)
        if found is not None:
            if _stream(found.config) == _stream(config) and found.config.get("metadata") == config.get(
                "metadata"
            ):
                return found.info(self.clock())
            raise Refusal(STREAM_EXISTS, "stream name already in use with a different configuration")
        self._fits(name, config)
        self.stores[name] = Store(config, self.clock())
        self.stores[name].last = max(0, int(config.get("first_seq") or 1) - 1)
        return self.stores[name].info(self.clock())

    def _update_stream(self, name: str, body: Json) -> Json:
        store, config = self._store(name), {**_STREAM_DEFAULTS, **self._known(body, STREAM_SINCE)}
        self._fits(name, config)
        before, after = _stream(store.config), _stream(config)
        if before.placement != after.placement and before.num_replicas != after.num_replicas:
            raise Refusal(_MOVE_AND_SCALE, "can not move and scale a stream in a single update")
        _changeable(before, after, _INVALID)
        store.config = config
        return store.info(self.clock())

    def _fits(self, name: str, config: Mapping[str, Any]) -> None:
        if int(config["num_replicas"]) > self.nodes:
            raise Refusal(_REPLICAS, "replicas > 1 not supported in non-clustered mode", 500)
        others = (store.config for other, store in self.stores.items() if other != name)
        if any(_clash(other, config.get("subjects") or ()) for other in others):
            raise Refusal(SUBJECTS_OVERLAP, "subjects overlap with an existing stream")

    def put_consumer(self, stream: str, name: str, body: Json) -> Json:
        """CONSUMER.CREATE with its action."""
        store = self._store(stream)
        config = {**_CONSUMER_DEFAULTS, **self._known(body["config"], CONSUMER_SINCE)}
        found = store.durables.get(name)
        if found is None and body["action"] == "update":
            raise Refusal(CONSUMER_GONE, "consumer does not exist")
        if found is None:
            store.durables[name] = Durable(config, self.clock(), _start(store, config))
        elif body["action"] == "update":
            _changeable(_consumer(found.config), _consumer(config), _CONSUMER_INVALID)
            found.config = {**config, "pause_until": found.config.get("pause_until")}
        elif _consumer(found.config) != _consumer(config) or found.config.get("metadata") != config.get(
            "metadata"
        ):
            raise Refusal(CONSUMER_EXISTS, "consumer already exists")
        return store.progress(name, stream, self.clock())

    def _known(self, config: Mapping[str, Any], since: Mapping[str, Since]) -> dict[str, Any]:
        newer = {name for name in config if name in since and since[name].level > self.level}
        if newer and self.level > _DROPS_UNKNOWN:
            raise Refusal(_UNKNOWN_FIELD, f'invalid JSON: json: unknown field "{min(newer)}"')
        return {name: value for name, value in config.items() if name not in newer}

    def _message(self, name: str, body: Json) -> Json:
        for message in self._store(name).messages.values():
            if message.sequence >= int(body["seq"]) and matches(body["next_by_subj"], message.subject):
                return {
                    "message": {
                        "subject": message.subject,
                        "seq": message.sequence,
                        "time": written(message.at),
                    }
                }
        raise Refusal(NO_MESSAGE, "no message found", 404)


def _stream(config: Json) -> Stream:
    return load_stream(stream_key(""), config)


def _consumer(config: Json) -> Consumer:
    return load_consumer(consumer_key("", ""), config)


def _changeable(before: Stream | Consumer, after: Stream | Consumer, code: int) -> None:
    for name in settings_of(type(before)):
        old, new = getattr(before, name), getattr(after, name)
        frozen = before.field_class(name) is FieldClass.AT_CREATION
        if old != new and (frozen or not before.may_change(name, old, new)):
            raise Refusal(code, _WORDS.get(name, f"{name.replace('_', ' ')} can not be updated"), 500)


def _clash(config: Json, subjects: Any) -> bool:  # noqa: ANN401  (any sequence of JSON)
    return any(overlaps(mine, other) for mine in config.get("subjects") or () for other in subjects)


def _start(store: Store, config: Mapping[str, Any]) -> int:
    """Behind which sequence a new consumer begins."""
    match config["deliver_policy"]:
        case "new":
            return store.last
        case "by_start_sequence":
            return int(config["opt_start_seq"]) - 1
        case "by_start_time":
            early = [
                seq for seq, each in store.messages.items() if written(each.at) < config["opt_start_time"]
            ]
            return max(early, default=0)
        case _:
            return 0
