"""Every reason that conditions, plans, metrics and errors may give, explained. Looks up and decides nothing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from headgate.core.checks import RULES
from headgate.core.meaning import Meaning
from headgate.core.reasons_of_brokers import OF_BROKERS
from headgate.core.reasons_of_flow import OF_FLOW
from headgate.core.reasons_of_objects import OF_OBJECTS

# A reason of one rule alone needs no words of its own.
OF_RULES: Final[Mapping[str, Meaning]] = {
    rule.reason: Meaning(
        f"{rule.id} does not hold: {rule.title[0].lower()}{rule.title[1:]}.", rule.explanation
    )
    for rule in RULES
    if rule.reason not in OF_OBJECTS
}
REASONS: Final[Mapping[str, Meaning]] = MappingProxyType({**OF_RULES, **OF_OBJECTS, **OF_BROKERS, **OF_FLOW})
