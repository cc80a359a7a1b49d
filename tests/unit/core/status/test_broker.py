"""The status of an EventBroker: whether it answers, whether it lets us in, whether it is the one that was known."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.core.status.accounts import ESTATE, NOW, THEN, WORD, finding, outage, told

from headgate.api import EventBrokerStatus, Lost, Objects, Record
from headgate.core.claims import Record as Known
from headgate.core.outcomes import Outcome
from headgate.core.status.account import BrokerAccount, Cluster
from headgate.core.status.broker import broker_status

CLUSTER = Cluster("NATS", "2.15.1", "c1", frozenset({"MessageTTL", "ConsumerPause"}))
REFUSAL = finding(Outcome.REFUSED, "CredentialsInvalid", "wrong password")
KNOWN_ESTATE = replace(ESTATE, acknowledged=True)


def broker(**known: Any) -> BrokerAccount:
    return BrokerAccount(**{"now": NOW, "generation": 1, "cluster": CLUSTER, **known})


BEFORE = broker_status(replace(broker(), now=THEN))
Told = dict[str, tuple[str, str] | None]

ROWS: dict[str, tuple[BrokerAccount, Told]] = {
    "it answers": (
        broker(),
        {
            "Ready": ("True", "Connected"),
            "Reachable": ("True", "Reachable"),
            "Authorized": ("True", "Authorized"),
        },
    ),
    "it was not asked yet": (
        broker(cluster=None),
        {"Ready": ("False", "Progressing"), "Reconciling": ("True", "Progressing"), "Reachable": None},
    ),
    "it is away for a moment": (
        broker(previous=BEFORE, outage=outage(minutes=1)),
        {
            "Ready": ("True", "Connected"),
            "Reachable": ("False", "ConnectionRefused"),
            "Authorized": ("True", "Authorized"),
            "Reconciling": None,
        },
    ),
    "it stays away": (
        broker(previous=BEFORE, outage=outage(minutes=3)),
        {"Ready": ("False", "Unreachable"), "Reachable": ("False", "ConnectionRefused")},
    ),
    "it was never reached": (
        broker(cluster=None, outage=outage(minutes=1)),
        {"Ready": ("Unknown", "Unreachable"), "Authorized": None},
    ),
    "it answers and does not know us": (
        broker(cluster=None, refused=finding(Outcome.REFUSED, "AuthenticationFailed", "wrong password")),
        {"Reachable": ("True", "Reachable"), "Authorized": ("False", "AuthenticationFailed")},
    ),
    "the credentials are no use": (
        broker(cluster=None, refused=REFUSAL),
        {
            "Ready": ("False", "CredentialsInvalid"),
            "Stalled": ("True", "CredentialsInvalid"),
            "Reachable": ("Unknown", "CredentialsInvalid"),
            "Authorized": ("False", "CredentialsInvalid"),
        },
    ),
    "a Secret is missing": (
        broker(findings=(finding(Outcome.REFUSED, "SecretNotFound"),)),
        {"Ready": ("False", "SecretNotFound")},
    ),
    "something has to appear": (
        broker(findings=(finding(Outcome.WAITING, "SecretNotFound"),)),
        {"Ready": ("False", "SecretNotFound"), "Reconciling": ("True", "SecretNotFound"), "Stalled": None},
    ),
    "its estate is gone": (
        broker(estate=ESTATE),
        {"Ready": ("False", "EstateVanished"), "EstateVanished": ("True", "ManyVanished")},
    ),
    "its estate was gone and somebody knows": (
        broker(estate=KNOWN_ESTATE),
        {"Ready": ("True", "Connected"), "EstateVanished": None},
    ),
    "it is being deleted": (broker(deleting=True), {"Ready": ("False", "Deleting")}),
    "it warns": (
        broker(findings=(finding(Outcome.WARNING, "OldServer"),)),
        {"Warning": ("True", "OldServer")},
    ),
}


@pytest.mark.parametrize(("account", "expected"), ROWS.values(), ids=ROWS.keys())
def test_conditions_when(account: BrokerAccount, expected: Told) -> None:
    found = told(broker_status(account).conditions)
    assert {kind: found.get(kind) for kind in expected} == expected


@pytest.mark.parametrize("account", [row[0] for row in ROWS.values()], ids=ROWS.keys())
def test_saying_it_again_changes_nothing_when(account: BrokerAccount) -> None:
    once = broker_status(account)
    assert broker_status(replace(account, previous=once, now=NOW + timedelta(seconds=5))) == once


def test_what_it_turned_out_to_be_is_shown_and_stays_while_it_is_away() -> None:
    away = broker_status(broker(cluster=None, outage=outage(minutes=1), previous=BEFORE))
    for status in (BEFORE, away):
        assert (status.type, status.server_version, status.identity) == ("NATS", "2.15.1", "c1")
        assert status.capabilities == ("ConsumerPause", "MessageTTL")


COUNTS: dict[str, tuple[BrokerAccount, int]] = {
    "are shown at first": (broker(topics=3), 3),
    "wait when they were written just now": (
        broker(topics=3, previous=BEFORE, figures_written=NOW - timedelta(seconds=29)),
        0,
    ),
    "move after a while": (broker(topics=3, previous=BEFORE, figures_written=NOW - timedelta(seconds=30)), 3),
}


@pytest.mark.parametrize(("account", "topics"), COUNTS.values(), ids=COUNTS.keys())
def test_counts(account: BrokerAccount, topics: int) -> None:
    assert broker_status(account).objects == Objects(topics=topics)


RECORDS: dict[str, tuple[BrokerAccount, Record | None]] = {
    "is the cluster that answers": (broker(), Record(identity="c1")),
    "stays the known one while another one is doubted": (
        broker(record=Known(identity="c0"), estate=ESTATE),
        Record(identity="c0"),
    ),
    "is the other one once somebody says so": (
        broker(record=Known(identity="c0"), estate=KNOWN_ESTATE),
        Record(identity="c1"),
    ),
    "stays while it is away": (broker(cluster=None, record=Known(identity="c0")), Record(identity="c0")),
    "is empty before it was ever reached": (broker(cluster=None), None),
}


@pytest.mark.parametrize(("account", "expected"), RECORDS.values(), ids=RECORDS.keys())
def test_the_record(account: BrokerAccount, expected: Record | None) -> None:
    assert broker_status(account).record == expected


OLD = Lost(external_id=WORD, since=THEN)
LOSSES: dict[str, tuple[BrokerAccount, Lost | None]] = {
    "names the word to answer with": (broker(estate=ESTATE), Lost(external_id=WORD, since=NOW)),
    "keeps its time": (broker(estate=ESTATE, previous=EventBrokerStatus(lost=OLD)), OLD),
    "stays until it is made good": (broker(estate=KNOWN_ESTATE, previous=EventBrokerStatus(lost=OLD)), OLD),
    "is over when it is": (broker(previous=EventBrokerStatus(lost=OLD)), None),
    "stays while the broker is away": (
        broker(outage=outage(minutes=1), previous=EventBrokerStatus(lost=OLD)),
        OLD,
    ),
}


@pytest.mark.parametrize(("account", "expected"), LOSSES.values(), ids=LOSSES.keys())
def test_a_lost_estate(account: BrokerAccount, expected: Lost | None) -> None:
    assert broker_status(account).lost == expected
