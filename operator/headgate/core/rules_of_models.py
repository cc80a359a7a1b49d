"""Rules that one object can prove about itself: checked by its model and, in CEL, by the API server. Knows no broker by name."""

from typing import Final

from headgate.api import rules
from headgate.core.outcomes import Outcome
from headgate.core.rule import Rule

INVALID: Final = "Invalid"


def _rule(rule: str, title: str, explanation: str) -> Rule[object]:
    return Rule(rule, Outcome.REFUSED, INVALID, title, explanation)


RULES: Final = (
    _rule(
        rules.DURATION_TEXT,
        "Durations are written with units",
        "One to four numbers of at most five digits, each with one of h, m, s and ms: 90s, 5m, 1h30m, 168h. There are no "
        "days and weeks, whose length depends on the calendar. Bounds of a field are part of its description.",
    ),
    _rule(
        rules.SIZE_TEXT,
        "Sizes are written as quantities",
        "A number, with at most three digits after the point, and one of Ki, Mi, Gi, Ti, Pi (powers of 1024) or k, M, G, T, "
        "P (powers of 1000): 512Ki, 1Mi, 50Gi. Without a unit it counts bytes.",
    ),
    _rule(
        rules.DECIMAL_TEXT,
        "Numbers with fractions are written in quotes",
        'Digits with at most one point: "50", "0.5". Quotes keep YAML from rounding them.',
    ),
    _rule(
        rules.NAME_TEXT,
        "Names are legal",
        "Names of Kubernetes objects have lower case letters, digits, - and dots. Names in a broker are printable ASCII "
        "without spaces and slashes; a broker may allow fewer characters and says so in a condition.",
    ),
    _rule(
        rules.BROKER_ONE_OF,
        "An EventBroker is of one kind",
        "Exactly one of the blocks that say how to reach a broker is there.",
    ),
    _rule(
        rules.BROKER_FIXED,
        "An EventBroker stays of its kind",
        "Objects do not move from one kind of broker to another. Create another EventBroker and other topics on it.",
    ),
    _rule(
        rules.IMMUTABLE,
        "What cannot change in the broker cannot change here",
        "Some fields keep the value they were created with: references that decide where data is, names in the broker, "
        "storage, key buckets. Setting one later, or taking it away, is a change too. Writing out the namespace of a "
        "reference that had none is another value.",
    ),
    _rule(
        rules.NAMESPACES_SHAPE,
        "A set of namespaces says what its kind needs",
        "from: Names comes with names, from: Selector with selector, and neither comes with anything else.",
    ),
    _rule(
        rules.NAMING_TEMPLATE,
        "A naming template keeps names apart",
        "It has {name} once and may have {namespace}, with letters, digits, _ and - around them.",
    ),
    _rule(
        rules.SERVER_ADDRESS,
        "Server addresses hold no credentials",
        "An address is a scheme, a host and a port. Credentials are in the Secret that credentialsSecretRef names.",
    ),
    _rule(
        rules.TOKENS_FOR_BEARERS,
        "Tokens come from somewhere",
        "sasl.tokenURL is who gives out tokens, which only mechanism: OAUTHBEARER uses.",
    ),
    _rule(
        rules.RETENTION_BOUNDED,
        "Retention has an end",
        "At least one of maxAge and maxBytes is there, so that nobody fills a disk by accident.",
    ),
    _rule(
        rules.DEDUPLICATION_COVERS_RETRY,
        "Repeated publishing is recognised as long as it goes on",
        "deduplication.window is at least producerRetryFor, else the last retries of a publisher are stored as new events.",
    ),
    _rule(
        rules.KEY_BUCKETS_SHAPE,
        "Key buckets need a key in a known place",
        "keyBuckets goes with key.wildcard: 1 and exactly one subject of the shape <words>.*.>, e.g. orders.*.>. An event "
        "without a key is then refused to its publisher.",
    ),
    _rule(
        rules.SUBJECT_TEXT,
        "Subjects are words separated by dots",
        "* stands for one word and > at the end for one or more; both stand alone between dots.",
    ),
    _rule(
        rules.PARTITIONS_GROW,
        "Partitions only grow",
        "Fewer partitions would lose what the others hold. Create another EventTopic and move its readers.",
    ),
    _rule(
        rules.IN_SYNC_WITHIN_REPLICAS,
        "Copies in sync are at most all copies",
        "With minInSyncReplicas above replicas nothing could ever be published.",
    ),
    _rule(
        rules.OUTAGE_WITHIN_RETENTION,
        "Events outlive a tolerated outage",
        "toleratedOutage is at most retention.maxAge. HG122 adds what retries take.",
    ),
    _rule(
        rules.NAME_TOO_LONG,
        "A name that becomes a name in the broker is short",
        "Without externalName the object's own name is used in the broker; it then has at most 63 letters, digits and -.",
    ),
    _rule(
        rules.START_TIME,
        "A start at a time says which",
        "start.time comes with from: Time, and with nothing else.",
    ),
    _rule(
        rules.SCALING_BOUNDS,
        "Bounds of scaling are in order",
        "minReplicas, onMetricsLoss.floor and schedule[].minReplicas are at most maxReplicas.",
    ),
    _rule(
        rules.CONCURRENCY_FEEDS_MINIMUM,
        "The smallest workload has enough to do",
        "concurrency.total is at least perReplica times minReplicas, else some of the replicas that always run are idle.",
    ),
    _rule(
        rules.SETTLED_AFTER_FIRST_ATTEMPT,
        "Settling takes at least as long as the first attempt",
        "freshness.settledWithin counts from publishing like maxAge does, so it cannot be shorter.",
    ),
    _rule(
        rules.TOTAL_ORDER_ONE_REPLICA,
        "Total order has one worker",
        "ordering: Total hands out one event at a time, so more than one replica has nothing to do.",
    ),
    _rule(
        rules.SCHEDULE_TEXT,
        "Times of a schedule are written as cron and time zone",
        "cron has five fields with one space between them, timeZone is a name as in Europe/Berlin. HG130 says whether "
        "they mean something.",
    ),
    _rule(
        rules.BACKLOG_BOUNDED,
        "What drops its oldest has a bound",
        "backlog.whenFull: DropOldest goes with backlog.maxBytes, which says when it is full.",
    ),
    _rule(
        rules.BACKOFF_BOUNDS,
        "The longest wait is at least the first",
        "backoff.max is at least backoff.initial.",
    ),
    _rule(
        rules.BACKOFF_FACTOR,
        "Only exponential waits have a factor",
        "backoff.factor goes with type: Exponential.",
    ),
    _rule(
        rules.DROP_ACKNOWLEDGED,
        "Dropping events is said twice",
        "onExhausted: Drop, and a rule with action Drop, lose events. acknowledgeDataLoss: true says that this is meant.",
    ),
    _rule(
        rules.TRIAGE_WITHIN_RETENTION,
        "Dead letters outlive the time in which somebody looks at them",
        "triageWithin is at most retention.maxAge of the queue.",
    ),
    _rule(
        rules.NATIVE_COMBINATION,
        "Native settings agree with each other and with the rest",
        "Some settings of a broker exclude or need one another, or a portable field already decides them.",
    ),
    _rule(
        rules.NATIVE_RESERVED,
        "Native settings leave our marks alone",
        "Metadata keys that begin with headgate or with the broker's own beginning are not for users.",
    ),
)
