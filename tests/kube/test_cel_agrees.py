"""The API server and Python give the same answer to random specs: CEL and core hold the same rules.

Nothing is stored: every object is posted as a dry run.
"""

import http.client
import json
import ssl
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.kube.test_crds import ROOT
from tests.servers import Kubectl

from headgate.api import API_VERSION, KINDS, Kind, load, name_fits
from headgate.api.types import format_duration
from headgate.core import checks
from headgate.core.retry import worst_case
from headgate.local.cluster import Cluster

CREATED = 201
REFUSED = 422
FEW = 5  # of 250: a test in which all are refused proves little
_KINDS = {kind.kind: kind for kind in KINDS}


class Server:
    """The API server over one connection, asked what it would do."""

    def __init__(self, cluster: Cluster) -> None:
        where = urlsplit(cluster.access.url)
        trust = ssl.create_default_context(cadata=cluster.access.authority.decode())
        self._token = cluster.access.token
        self._connection = http.client.HTTPSConnection(
            where.hostname or "", where.port, context=trust, timeout=30
        )

    def refuses(self, kind: Kind, name: str, spec: dict[str, Any]) -> str:
        """The message with which an object would be refused; nothing where it would be taken."""
        body = {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": {"name": name}, "spec": spec}
        path = f"/apis/{API_VERSION}/namespaces/default/{kind.plural}?dryRun=All&fieldValidation=Strict"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._connection.request("POST", path, json.dumps(body), headers)
        with self._connection.getresponse() as response:
            answer = json.load(response)
        assert response.status in (CREATED, REFUSED), answer
        return "" if response.status == CREATED else str(answer["message"])


@pytest_asyncio.fixture(scope="module")
async def definitions(cluster: Cluster) -> None:
    kubectl = Kubectl(cluster.kubectl, cluster.kubeconfig, "default")
    texts = ((ROOT / "crds" / f"{kind.plural}.yaml").read_text() for kind in KINDS)
    await kubectl.apply(*texts, server_side=True)
    for kind in KINDS:
        await kubectl.wait(f"crd/{kind.crd_name}", "condition=Established")


@pytest.fixture(scope="module")
def server(cluster: Cluster, definitions: None) -> Iterator[Server]:
    del definitions
    server = Server(cluster)
    yield server
    server._connection.close()


def complaints(kind: Kind, name: str, spec: dict[str, Any]) -> list[str]:
    """What Python has against an object, by itself."""
    loaded = load(kind, spec, strict=True)
    if isinstance(loaded, list):
        return [str(error) for error in loaded]
    found = [] if name_fits(name, loaded) else ["metadata.name"]
    return (
        found + [finding.message for finding in checks.policy(loaded)]
        if kind.kind == "RetryPolicy"
        else found
    )


def mostly(good: tuple[Any, ...], bad: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """Bad values now and then, so that specs are taken about as often as refused."""
    return st.integers(0, 11).flatmap(lambda n: st.sampled_from(good if n else bad))


DURATION = mostly(
    ("1s", "2s", "30s", "1m30s", "1h", "24h", "168h", "99999h"),
    ("0s", "1ms", "100ms", "1d", "-1s", "s", "1.5s", ""),
)
SIZE = mostly(
    ("1Ki", "1.5Ki", "1Mi", "1M", "64Mi", "50Gi"), ("0", "1", "65Mi", "2000Pi", "-1", "1KB", "1e3", "")
)
DECIMAL = mostly(("1", "1.5", "2.0", "10"), ("0", "0.0001", "0.001", "10.001", "50", "x", "1.", "-1"))
SMALL = mostly((1, 2, 3), (-1, 0, 4, 10))
SUBJECT = mostly(
    ("orders.*.>", "orders.>", "a.b", "*", "shop.orders.*.>"), (">", "a..b", "a.>.b", "a.b*", "")
)
SUBJECTS: st.SearchStrategy[list[str]] = st.lists(SUBJECT, max_size=2)
TO = st.fixed_dictionaries({"name": mostly(("main", "a.b"), ("Main",))}, optional={"namespace": st.just("x")})
SPACES = st.one_of(
    st.sampled_from(
        (
            {"from": "Same"},
            {"from": "All"},
            {"from": "Names", "names": ["a", "b"]},
            {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}},
        )
    ),
    st.fixed_dictionaries(
        {"from": mostly(("Same", "Names", "Selector", "All"), ("Other",))},
        optional={"names": st.lists(mostly(("a", "b"), ("A",)), max_size=2), "selector": st.just({})},
    ),
)
TIME = mostly(("2026-11-01T00:00:00Z", "2026-11-01T00:00:00+01:00"), ("yesterday",))
START = st.one_of(
    st.just({"from": "Earliest"}),
    st.fixed_dictionaries({"from": st.just("Time"), "time": TIME}),
    st.fixed_dictionaries({"from": mostly(("Latest", "Time"), ("Now",))}, optional={"time": TIME}),
)
RETENTION = st.fixed_dictionaries({}, optional={"maxAge": DURATION, "maxBytes": SIZE, "maxMessages": SMALL})
MANAGED: dict[str, st.SearchStrategy[Any]] = {
    "externalName": mostly(("orders", "Orders_2"), ("a b", "a/b", "", "x" * 250)),
    "mode": mostly(("Enforce", "Plan"), ("Off",)),
    "deletionPolicy": mostly(("Retain", "Delete"), ("Drop",)),
    "deletionTimeout": DURATION,
}
SPECS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "EventBroker": st.fixed_dictionaries(
        {},
        optional={
            "nats": st.fixed_dictionaries({"servers": st.lists(mostly(("nats://a:1", "tls://b"), ("http://c", "nats://u:p@d")), min_size=1, max_size=2, unique=True)}),
            "allowedNamespaces": SPACES,
            "resyncInterval": DURATION,
            "limits": st.fixed_dictionaries({}, optional={"timeout": DURATION, "maxInFlight": SMALL}),
            "tenancy": st.fixed_dictionaries(
                {},
                optional={
                    "naming": st.fixed_dictionaries({}, optional={"template": mostly(("{name}", "{namespace}_{name}"), ("{namespace}", "{name}{name}", "{x}{name}"))}),
                    "adoption": SPACES,
                    "subjectPrefixes": st.lists(mostly(("a.", "b."), ("",)), max_size=2),
                },
            ),
        },
    ),
    "EventTopic": st.fixed_dictionaries(
        {"brokerRef": TO, "retention": RETENTION},
        optional={
            **MANAGED,
            "subjects": SUBJECTS,
            "replicas": SMALL,
            "minInSyncReplicas": SMALL,
            "toleratedOutage": DURATION,
            "maxMessageSize": SIZE,
            "deduplication": st.fixed_dictionaries({"window": DURATION}, optional={"producerRetryFor": DURATION}),
            "key": st.fixed_dictionaries({"wildcard": SMALL}),
            "keyBuckets": mostly((2, 100), (1, 1025)),
            "allowedNamespaces": SPACES,
        },
    ),
    "ConsumerGroup": st.fixed_dictionaries(
        {"topicRef": TO, "start": START},
        optional={
            **MANAGED,
            "filter": st.fixed_dictionaries({"subjects": SUBJECTS}),
            "ordering": mostly(("None", "PerKey", "Total"), ("Some",)),
            "freshness": st.fixed_dictionaries({"maxAge": DURATION}, optional={"settledWithin": DURATION}),
            "concurrency": st.fixed_dictionaries({}, optional={"perReplica": SMALL, "total": SMALL}),
            "scaling": st.fixed_dictionaries(
                {"targetRef": st.just({"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}), "maxReplicas": SMALL},
                optional={"minReplicas": SMALL, "drainWithin": DURATION, "onMetricsLoss": st.fixed_dictionaries({"floor": SMALL}),
                          "capacity": st.fixed_dictionaries({"eventsPerSecondPerReplica": DECIMAL})},
            ),
        },
    ),
    "RetryPolicy": st.fixed_dictionaries(
        {},
        optional={
            "attempts": mostly((1, 2, 5, 20), (0, 21)),
            "handlingTimeout": DURATION,
            "deadline": DURATION,
            "backoff": st.fixed_dictionaries(
                {},
                optional={"type": mostly(("Fixed", "Linear", "Exponential"), ("None",)), "initial": DURATION,
                          "factor": DECIMAL, "max": DURATION, "jitterPercent": mostly((0, 20, 100), (-1, 101))},
            ),
            "rules": st.lists(st.fixed_dictionaries({"match": st.just({"errorClass": "X"}), "action": st.sampled_from(("Retry", "Drop"))}), max_size=2),
            "onExhausted": st.sampled_from(("DeadLetter", "Drop")),
            "acknowledgeDataLoss": st.booleans(),
        },
    ),
    "DeadLetterQueue": st.fixed_dictionaries(
        {"brokerRef": TO, "retention": RETENTION, "owner": st.fixed_dictionaries({"team": mostly(("a",), ("",))})},
        optional={**MANAGED, "replicas": SMALL, "maxMessageSize": SIZE, "triageWithin": DURATION, "allowedNamespaces": SPACES},
    ),
}  # fmt: skip
NAMES = mostly(("orders", "x" * 63), ("orders.v2", "x" * 64))
ASKED = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_random_specs_get_the_same_answer(kind: Kind, server: Server) -> None:
    """Good and bad values of every field with a rule, in any combination."""
    answers: Counter[bool] = Counter()

    @ASKED
    @given(SPECS[kind.kind], NAMES)
    def agree(spec: dict[str, Any], name: str) -> None:
        refused, found = server.refuses(kind, name, spec), complaints(kind, name, spec)
        answers[bool(refused)] += 1
        assert bool(refused) == bool(found), (refused, found)

    agree()
    assert min(answers[True], answers[False]) > FEW, answers


@st.composite
def at_the_edge(draw: st.DrawFn) -> dict[str, Any]:
    """A policy whose deadline is its worst case, or one millisecond away."""
    durations = st.integers(100, 100_000).map(lambda n: format_duration(timedelta(milliseconds=n)))
    growing = {"type": st.just("Exponential"), "factor": st.decimals("1", "10", places=3).map(str)}
    kinds = st.sampled_from(({"type": st.just("Fixed")}, {"type": st.just("Linear")}, growing))
    backoff: dict[str, Any] = draw(kinds.flatmap(st.fixed_dictionaries))
    backoff |= {"initial": draw(durations), "jitterPercent": draw(st.integers(0, 100))}
    if draw(st.booleans()):
        backoff["max"] = format_duration(timedelta(milliseconds=100_000 + draw(st.integers(0, 900_000))))
    spec: dict[str, Any] = {
        "attempts": draw(st.integers(1, 12)),
        "handlingTimeout": draw(durations),
        "backoff": backoff,
    }
    policy = load(_KINDS["RetryPolicy"], spec, strict=True)
    assert not isinstance(policy, list)
    worst = worst_case(policy) + timedelta(milliseconds=draw(st.integers(-1, 1)))
    return {**spec, "deadline": format_duration(min(worst, timedelta(hours=99_999)))}


def test_deadlines_at_the_edge_get_the_same_answer(server: Server) -> None:
    answers: Counter[bool] = Counter()

    @ASKED
    @given(at_the_edge())
    def agree(spec: dict[str, Any]) -> None:
        kind = _KINDS["RetryPolicy"]
        refused, found = server.refuses(kind, "edge", spec), complaints(kind, "edge", spec)
        answers[bool(refused)] += 1
        assert bool(refused) == bool(found), (refused, found)

    agree()
    assert min(answers[True], answers[False]) > FEW, answers


@pytest.mark.parametrize(
    ("deadline", "taken"), [("244s400ms", True), ("244s399ms", False)], ids=["met", "missed"]
)
def test_the_standard_policy_meets_its_deadline_to_the_millisecond(
    deadline: str, taken: object, server: Server
) -> None:
    backoff: dict[str, Any] = {
        "type": "Exponential",
        "initial": "2s",
        "factor": "4",
        "max": "2m",
        "jitterPercent": 20,
    }
    spec: dict[str, Any] = {"attempts": 5, "handlingTimeout": "10s", "deadline": deadline, "backoff": backoff}
    kind = _KINDS["RetryPolicy"]
    assert (server.refuses(kind, "edge", spec) == "") == taken
    assert (complaints(kind, "edge", spec) == []) == taken
