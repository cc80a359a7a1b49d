"""Every rule, and which of them an object breaks: one answer for conditions, command line and admission. Knows no broker."""

from collections.abc import Iterable
from typing import Any, Final

from headgate.api import RetryPolicySpec
from headgate.core import checks_group, checks_policy, checks_topic, rules_of_models, rules_of_reference
from headgate.core.outcomes import Finding
from headgate.core.rule import Rule, SubjectT
from headgate.core.topology import Group, Topic

RULES: Final[tuple[Rule[Any], ...]] = tuple(
    sorted(
        (
            *checks_policy.RULES,
            *rules_of_models.RULES,
            *rules_of_reference.RULES,
            *checks_topic.RULES,
            *checks_group.RULES,
        ),
        key=lambda rule: rule.id,
    )
)


def topic(value: Topic) -> tuple[Finding, ...]:
    """What is wrong with a topic."""
    return _broken(checks_topic.RULES, value)


def group(value: Group) -> tuple[Finding, ...]:
    """What is wrong with a group, its topic, its retry policy and its dead letters taken together."""
    return _broken(checks_group.RULES, value)


def policy(value: RetryPolicySpec) -> tuple[Finding, ...]:
    """What is wrong with a retry policy."""
    return _broken(checks_policy.RULES, value)


def _broken(rules: Iterable[Rule[SubjectT]], value: SubjectT) -> tuple[Finding, ...]:
    return tuple(finding for rule in rules for finding in rule.check(value))
