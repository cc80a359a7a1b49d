"""What each type of condition says when it is True. Data only: decides nothing."""

from collections.abc import Mapping
from typing import Final

from headgate.core.meaning import Meaning

CONDITION_TYPES: Final[Mapping[str, Meaning]] = {
    "Ready": Meaning(
        "The broker holds what is declared at this generation.",
        "When False, its reason says why; when Unknown, the broker is away.",
    ),
    "Reconciling": Meaning(
        "Something is still to be done and will be done by itself.",
        "Wait; the reason says for what.",
    ),
    "Stalled": Meaning(
        "Nothing goes on without a person.",
        "Do what the message says.",
    ),
    "Suspended": Meaning(
        "Nothing is done about the object, because spec.suspend is set.",
        "Take it away to go on.",
    ),
    "Synced": Meaning(
        "The broker holds what is declared, as far as the mode lets Headgate make it.",
        "When False, see Ready and status.plan.",
    ),
    "Reachable": Meaning(
        "The EventBroker's servers answer.",
        "When False, the reason says what fails.",
    ),
    "Authorized": Meaning(
        "The EventBroker's credentials are accepted.",
        "When False, correct the Secret or the permissions.",
    ),
    "EstateVanished": Meaning(
        "So much is gone at once, or another cluster answers, that nothing is changed there.",
        "Find out what happened before you acknowledge.",
    ),
    "Conflict": Meaning(
        "Somebody else owns or claims the object in the broker.",
        "Choose another spec.externalName, or delete one of the two.",
    ),
    "Blocked": Meaning(
        "A change is impossible or destructive and was not made.",
        "Declare the old value, or move to a new object; `headgate plan` shows both values.",
    ),
    "DataLost": Meaning(
        "Something that held data is gone, and nobody has acknowledged it.",
        "Restore it, or acknowledge the loss.",
    ),
    "Drifted": Meaning(
        "The broker differs from what is declared, and mode Observe leaves it so.",
        "Change the declaration, or set spec.mode to Enforce.",
    ),
    "Warning": Meaning(
        "It was done, and something about it is worth knowing.",
        "Read the message.",
    ),
    "Resumed": Meaning(
        "A group's reader was gone and came back within the last hour.",
        "Expect events to be handled again.",
    ),
    "Fresh": Meaning(
        "Events reach their first attempt within spec.freshness.",
        "When False, see status.scaling.",
    ),
    "ScalingActive": Meaning(
        "Replicas follow the lag.",
        "When False, the reason says what keeps them.",
    ),
    "RetrySaturated": Meaning(
        "Events that wait for a retry take the places of new ones.",
        "Repair what the workers fail at.",
    ),
    "Capturing": Meaning(
        "What workers give up is kept.",
        "When False, the reason says what is missing.",
    ),
    "Untriaged": Meaning(
        "Dead letters are older than triageWithin.",
        "Work them off with `headgate dlq`.",
    ),
    "FitsDeadline": Meaning(
        "The policy's attempts and waits fit into its deadline.",
        "When False, shorten one or lengthen the other.",
    ),
    "Approximated": Meaning(
        "The policy is carried out nearly as declared; the message says how far off.",
        "Decide whether the difference matters.",
    ),
}
