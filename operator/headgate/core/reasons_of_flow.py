"""Reasons about lag, scaling and dead letters. Data only: decides nothing."""

from collections.abc import Mapping
from typing import Final

from headgate.core.meaning import Meaning

OF_FLOW: Final[Mapping[str, Meaning]] = {
    # the promise
    "PromiseKept": Meaning(
        "Events reach their first attempt within spec.freshness.",
        "Nothing.",
    ),
    "PromiseBroken": Meaning(
        "Events wait longer for their first attempt than spec.freshness promises.",
        "See status.scaling: more replicas, more concurrency, or a faster worker.",
    ),
    # whether a workload follows its lag
    "Enforced": Meaning(
        "Replicas follow the lag.",
        "Nothing.",
    ),
    "Recommending": Meaning(
        "What would be done is shown in status.scaling and not done.",
        "Set spec.scaling.mode to Enforce to have it done.",
    ),
    "Disabled": Meaning(
        "Scaling is switched off: the replicas are left alone.",
        "Set spec.scaling.mode to Enforce to have them follow the lag.",
    ),
    "HeldByAnnotation": Meaning(
        "Annotation headgate.dev/hold-replicas pins the replicas.",
        "Take the annotation away when the incident is over.",
    ),
    "TargetNotFound": Meaning(
        "The workload that spec.scaling.targetRef names does not exist.",
        "Create it or correct the reference.",
    ),
    "TargetContested": Meaning(
        "Something else scales the same workload, or two groups scale it by different rules, so it is left alone.",
        "Remove the other scaler, make the groups agree, or set spec.scaling.mode to Disabled.",
    ),
    "TargetUnreachable": Meaning(
        "The API server did not answer about the workload.",
        "Nothing; it is tried again.",
    ),
    "TargetRefused": Meaning(
        "The API server refuses to scale the workload.",
        "Read the message; the kind may have no scale subresource.",
    ),
    "ContestUnknown": Meaning(
        "Replicas follow the lag, but other scalers cannot be seen for lack of permission.",
        "Permit listing HorizontalPodAutoscalers and ScaledObjects as docs/rbac.md says, or make sure there are none.",
    ),
    "MetricsLost": Meaning(
        "The lag cannot be read, so replicas are only held and the promise is unknown.",
        "Check the EventBroker; scale by hand with headgate.dev/hold-replicas if it is urgent.",
    ),
    # why a workload has its replicas
    "Steady": Meaning(
        "The workload has the replicas that it needs.",
        "Nothing.",
    ),
    "Idle": Meaning(
        "There is nothing to do and there are no replicas.",
        "Nothing.",
    ),
    "WorkWaiting": Meaning(
        "Work arrived while there were no replicas.",
        "Nothing.",
    ),
    "WouldMissFreshness": Meaning(
        "With fewer replicas an event would wait longer than promised.",
        "Nothing.",
    ),
    "WouldDrainTooSlowly": Meaning(
        "The promise holds, but the backlog would stay too long.",
        "Nothing.",
    ),
    "LessNeeded": Meaning(
        "Fewer replicas were enough for a while.",
        "Nothing.",
    ),
    "IdleLongEnough": Meaning(
        "Nothing came for so long that no replica is needed.",
        "Nothing; raise scaling.minReplicas to keep some.",
    ),
    "Probing": Meaning(
        "Nothing waits and the rate of a replica is unknown: one less shows more.",
        "Nothing.",
    ),
    "BelowMinimum": Meaning(
        "The workload had fewer replicas than scaling.minReplicas.",
        "Nothing.",
    ),
    "AboveMaximum": Meaning(
        "The workload had more replicas than scaling.maxReplicas.",
        "Nothing; raise the maximum if they were meant.",
    ),
    "AtMaximum": Meaning(
        "More replicas would be needed than scaling.maxReplicas allows.",
        "Raise maxReplicas, or make the worker faster.",
    ),
    "ConcurrencyLimit": Meaning(
        "More replicas could not handle more at the same time.",
        "Raise concurrency.total, if what the workers use can stand it.",
    ),
    "ScaleUpIneffective": Meaning(
        "The replicas that were added last got no more done; they were taken back, and more are held for a while.",
        "Look for what all workers wait for: a database, a lock, a quota. The hold ends by itself, at once when "
        "more gets done.",
    ),
    "PartitionHot": Meaning(
        "One partition gets more events than one replica can handle, so that more replicas would not help.",
        "Spread the key over more partitions, or make the worker faster.",
    ),
    "PartitionStalled": Meaning(
        "Partitions make no progress while others do; they are left out of what replicas are needed for.",
        "Look at the event they stand at and at their worker's log; a retry policy gets past a poisonous event.",
    ),
    "RateUnknown": Meaning(
        "Work waits, and how fast a replica handles it is still being learned.",
        "Wait for the first events to be handled; if none is, look at the workers.",
    ),
    "RetrySaturated": Meaning(
        "Events that wait for a retry take the places of new ones, so replicas would not help.",
        "Repair what the workers fail at; see their errors and the dead letters.",
    ),
    "WorkersStalled": Meaning(
        "Work waits, replicas run, and nothing at all gets done.",
        "Look at the workers' logs; more replicas would not help.",
    ),
    "MetricsStale": Meaning(
        "The figures are a little old, so nothing is scaled down.",
        "Nothing, unless it stays.",
    ),
    "MetricsLostFloor": Meaning(
        "The lag cannot be read; replicas are raised to onMetricsLoss.floor.",
        "Check the EventBroker.",
    ),
    "Released": Meaning(
        "The group is gone and its workload was left to itself.",
        "Nothing.",
    ),
    # what becomes of dead letters
    "Capturing": Meaning(
        "What workers give up is kept.",
        "Nothing.",
    ),
    "NoNoticeNeeded": Meaning(
        "Dead letters reach the queue without notices of the broker that somebody would have to keep.",
        "Nothing.",
    ),
    "NoDeadLetterQueue": Meaning(
        "The group names no dead-letter queue, so events without attempts left are lost.",
        "Name one in spec.deadLetterQueueRef.",
    ),
    "Full": Meaning(
        "The queue's bounds, or the broker's storage, leave no room for another dead letter. Nothing is lost: events stay in "
        "their topics, and what waits is written once there is room.",
        "Close entries, or raise retention.maxBytes or retention.maxMessages of the DeadLetterQueue.",
    ),
    "MoverAbsent": Meaning(
        "Nobody reads the broker's notices: dead letters of crashed workers wait.",
        "Run `headgate mover`.",
    ),
    "HandoverStalled": Meaning(
        "The broker itself moves dead letters, and has not been able to hand some over for more than a minute.",
        "Read the message; look at the dead-letter queue and at the logs of the broker's servers.",
    ),
    "MoverBehind": Meaning(
        "Movers run and notices wait for more than a minute.",
        "Read the message; look at the mover's log and metrics.",
    ),
    "AdvisoriesLost": Meaning(
        "Notices were lost before a mover read them, so some events may have no dead letter.",
        "Compare what the groups handled around that time, then annotate the DeadLetterQueue or the EventBroker with "
        "headgate.dev/acknowledge as the message says; run movers without long breaks.",
    ),
    "TriageOverdue": Meaning(
        "Dead letters are older than triageWithin and nobody has closed them.",
        "Work them off with `headgate dlq list`, then resolve or discard.",
    ),
    "Triaged": Meaning(
        "No dead letter is older than triageWithin.",
        "Nothing.",
    ),
    "Foreign": Meaning(
        "A notice is about a reader that is not one of ours.",
        "Nothing.",
    ),
    "Dropped": Meaning(
        "The event was dropped because onExhausted is Drop.",
        "Nothing.",
    ),
    "RouteMissing": Meaning(
        "The operator has not told movers yet where the group's dead letters go.",
        "Wait, or look whether the operator runs.",
    ),
    "RouteStale": Meaning(
        "What movers were told about the group is older than the notice.",
        "Nothing; it is put off until they are told anew.",
    ),
    "RoutesUnreadable": Meaning(
        "What the operator told movers cannot be read.",
        "Delete the ConfigMap headgate-routes-<EventBroker>; the operator writes it anew.",
    ),
    "EventUnread": Meaning(
        "The broker did not say whether the event is still there.",
        "Nothing; it is asked again.",
    ),
    "TooLarge": Meaning(
        "The dead letter is too large for its queue; an envelope without the body is stored.",
        "Raise maxMessageSize of the DeadLetterQueue.",
    ),
    "DeadLetterQueueFull": Meaning(
        "The dead-letter queue takes no more, so its sources keep their events.",
        "Work off dead letters, or raise retention.maxBytes.",
    ),
    "DeadLetterQueueMissing": Meaning(
        "The dead-letter queue is not in the broker.",
        "Look at the DeadLetterQueue's conditions.",
    ),
    "Unknown": Meaning(
        "No answer came: it may have been done.",
        "Nothing; it is asked again.",
    ),
    "Refused": Meaning(
        "Somebody said no and will say no again until something is edited.",
        "The message and the reason beside it say what.",
    ),
    "MaxAttempts": Meaning(
        "Every attempt at the event failed or ran out of time.",
        "Repair the cause, then send the event again or resolve the entry.",
    ),
    "Rejected": Meaning(
        "The worker said that no attempt will ever succeed.",
        "Look at the event itself; repair its producer.",
    ),
    "Expired": Meaning(
        "The event grew too old in its queue.",
        "Check why it was not handled in time.",
    ),
    "Evicted": Meaning(
        "The topic ran full while the event was being handled.",
        "Raise the topic's retention, or handle events faster.",
    ),
    "Deadline": Meaning(
        "Attempts were left, and the policy's deadline was over.",
        "Check the policy's deadline and how long attempts take.",
    ),
    "Manual": Meaning(
        "A person put the event there.",
        "Ask that person.",
    ),
    "Other": Meaning(
        "The dead letter bears a reason that is none of ours; whoever may publish to the queue may write anything.",
        "See it with `headgate dlq show`, and check who may publish there.",
    ),
    "Resolved": Meaning(
        "The event's effect was brought about otherwise.",
        "Nothing.",
    ),
    "Discarded": Meaning(
        "The event is not needed.",
        "Nothing.",
    ),
}
