"""The few things that a Kafka server of a test is asked and told while it starts. Knows nothing of what it is for."""

import logging
from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

OFFSETS = "__consumer_offsets"
_QUIET = logging.getLogger("headgate.local.kafka.client")
PATIENCE = 5.0  # seconds for one answer
ITERATIONS = 4096
_QUIET.propagate = False  # whoever waits says in the end what was waited for
_QUIET.addHandler(logging.NullHandler())
SCRAM = {"SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512}


def admin(bootstrap: str) -> AdminClient:
    """A client that says nothing about servers that are not there yet."""
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}, logger=_QUIET)


def brokers(client: AdminClient) -> set[int]:
    """The numbers of all servers in sight; none where there is no answer."""
    try:
        return set(client.list_topics(timeout=PATIENCE).brokers)
    except KafkaException:
        return set()


def make_offsets_topic(client: AdminClient, copies: int) -> bool:
    """Make the topic of committed offsets now, instead of under the first group; whether it is there.

    The server would make it itself, and meanwhile the first call of a group hangs until its time is over.
    """
    config = {"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": "104857600"}
    topic = NewTopic(OFFSETS, num_partitions=1, replication_factor=copies, config=config)
    try:
        client.create_topics([topic], request_timeout=PATIENCE)[OFFSETS].result()
    except KafkaException as error:
        return bool(error.args[0].name() == "TOPIC_ALREADY_EXISTS")
    return True


def coordinates(bootstrap: str) -> bool:
    """Whether groups are served: somebody leads the topic of offsets and has read it.

    Not asked through librdkafka, which ends the whole process where the coordinator of a group came back after a call
    about it had timed out: an assertion, or a segmentation fault (seen with 2.16.1 on every such call).
    """
    try:
        client = KafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=int(PATIENCE * 1000))
    except KafkaError:
        return False
    try:
        client.list_group_offsets("headgate-local-probe")
    except KafkaError:
        return False
    finally:
        client.close()
    return True


def keep_passwords(client: AdminClient, users: Mapping[str, str], mechanisms: Sequence[str]) -> bool:
    """Store the SCRAM passwords of users; whether the servers took all of them."""
    return all(_keep(client, users, mechanism) for mechanism in mechanisms)


def _keep(client: AdminClient, users: Mapping[str, str], mechanism: str) -> bool:
    """One mechanism for each call: a user may not stand in a call twice."""
    info = ScramCredentialInfo(SCRAM[mechanism], ITERATIONS)
    changes: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(user, info, password.encode()) for user, password in users.items()
    ]
    try:
        for future in client.alter_user_scram_credentials(changes, request_timeout=PATIENCE).values():
            future.result()
    except KafkaException:
        return False
    return True


def knows_passwords(client: AdminClient, users: Sequence[str], mechanisms: Sequence[str]) -> bool:
    """Whether the servers know a password of each user for each mechanism."""
    try:
        asked = client.describe_user_scram_credentials(list(users), request_timeout=PATIENCE)
        if not isinstance(asked, dict):  # it is a future where one asks for all users
            return False
        return all(len(asked[user].result().scram_credential_infos) == len(mechanisms) for user in users)
    except KafkaException:
        return False
