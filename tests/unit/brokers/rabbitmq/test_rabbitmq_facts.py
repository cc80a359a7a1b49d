"""What a version of RabbitMQ can do."""

import pytest

from headgate.brokers.rabbitmq.facts import capabilities, level_of


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("4.3.6", 403),
        ("4.0.5", 400),
        ("3.13.7", 313),
        ("4.10.0", 410),
        ("4.3.0-rc.1", 403),
        ("4", 400),
        ("", 0),
    ],
)
def test_versions_are_numbers_that_grow(version: str, level: int) -> None:
    assert level_of(version) == level


def test_delays_and_timeouts_are_the_brokers_from_4_3() -> None:
    assert capabilities(403) - capabilities(402) == {"DelayedRetry", "ConsumerTimeout"}
