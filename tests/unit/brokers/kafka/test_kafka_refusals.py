"""Errors of Kafka in the words of a manifest."""

from collections.abc import Mapping

import pytest

from headgate.brokers.kafka.refusals import BY_CODE, Sort, explained, told

ERRORS: Mapping[str, tuple[int, str, str, Sort, str]] = {
    "a topic is there already": (36, "Topic 'a' already exists.", "AlreadyExists", Sort.REFUSED, "choose"),
    "a name is not legal": (17, "Topic name is invalid", "NameInvalid", Sort.REFUSED, "choose another"),
    "a name is too like another one": (
        17,
        "Topic 'x_y' collides with existing topic: x.y",
        "NameTaken",
        Sort.REFUSED,
        "dots and underscores",
    ),
    "partitions do not shrink": (
        37,
        "The topic has 3; 2 would not be an increase.",
        "InvalidSetting",
        Sort.REFUSED,
        "spec.partitions",
    ),
    "there are too few brokers": (
        38,
        "only 1 broker(s)",
        "ReplicasNotPossible",
        Sort.REFUSED,
        "spec.replicas",
    ),
    "a config is not one of Kafka's": (
        40,
        "Unknown topic config name: nope",
        "InvalidSetting",
        Sort.REFUSED,
        "spec.native.kafka",
    ),
    "nobody gives out tokens": (
        -169,
        "Failed to acquire SASL OAUTHBEARER token: Failed to connect to tokens",
        "ConnectFailed",
        Sort.AWAY,
        "gives out tokens",
    ),
    "no token is given to us": (
        -169,
        'Failed to acquire SASL OAUTHBEARER token: {"error": "invalid_client"}',
        "AuthenticationFailed",
        Sort.REFUSED,
        "spec.kafka.sasl",
    ),
    "a request was never sent": (
        -166,
        "Local: Timed out in queue",
        "ConnectTimeout",
        Sort.AWAY,
        "in queue",
    ),
    "a policy of the cluster forbids it": (44, "no", "RequestRefused", Sort.REFUSED, "policy of the cluster"),
    "a right is missing": (29, "no", "PermissionDenied", Sort.REFUSED, "Create on Topic orders"),
    "the password is wrong": (-169, "no", "AuthenticationFailed", Sort.REFUSED, "Secret"),
    "an answer did not come": (-185, "Timed out", "TimedOut", Sort.UNCERTAIN, "Timed out"),
    "a request never left": (
        -185,
        "Failed while waiting for controller: Local: Timed out",
        "ConnectTimeout",
        Sort.AWAY,
        "controller",
    ),
    "nobody listens": (-195, "refused", "ConnectFailed", Sort.AWAY, "refused"),
    "workers are running": (25, "", "GroupActive", Sort.OBJECT, "zero"),
    "a coordinator is still loading": (14, "", "TemporarilyUnavailable", Sort.OBJECT, ""),
    "a move is going on": (85, "", "MoveInProgress", Sort.OBJECT, ""),
    "a topic is not there": (3, "", "NotFound", Sort.ABSENT, ""),
    "something that nobody knows is a refusal in its own words": (
        999,
        "strange",
        "RequestRefused",
        Sort.REFUSED,
        "strange (999)",
    ),
}


@pytest.mark.parametrize("sentence", ERRORS)
def test_an_error_is_explained(sentence: str) -> None:
    """Reason, what to do about it, and the server's own words."""
    code, text, reason, sort, words = ERRORS[sentence]
    found = explained(code, text)
    assert (found.reason, found.sort) == (reason, sort)
    said = told(code, text, "topic/orders", "Create on Topic orders")
    assert said.startswith("topic/orders: ")
    assert words in said
    assert f"({code})" in said


def test_refusals_say_what_to_do() -> None:
    """Unless the server's own words are all that is known."""
    silent = {"RequestRefused", "PermissionDenied"}
    for found in BY_CODE.values():
        if found.sort is Sort.REFUSED and found.reason not in silent:
            assert found.says, found
