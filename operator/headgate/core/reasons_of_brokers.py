"""Reasons that come from connecting to a broker and from what it answers. Data only: decides nothing."""

from collections.abc import Mapping
from typing import Final

from headgate.core.meaning import Meaning

OF_BROKERS: Final[Mapping[str, Meaning]] = {
    # connecting
    "Connected": Meaning(
        "The broker answers and lets us in.",
        "Nothing.",
    ),
    "Reachable": Meaning(
        "The broker answers.",
        "Nothing.",
    ),
    "Authorized": Meaning(
        "The broker accepts the credentials.",
        "Nothing.",
    ),
    "Unreachable": Meaning(
        "The broker, or this one object in it, does not answer; everything keeps its last state until it does.",
        "Check address, network and the broker itself; condition Reachable of the EventBroker says whether it is all of it.",
    ),
    "ConnectFailed": Meaning(
        "No connection to any server could be made.",
        "Check the addresses, DNS, NetworkPolicies and whether the servers run.",
    ),
    "ConnectTimeout": Meaning(
        "The servers did not answer in time.",
        "Check network and load of the servers.",
    ),
    "Disconnected": Meaning(
        "The connection broke; it may have been done.",
        "Nothing; it is made again and the state is read back.",
    ),
    "TimedOut": Meaning(
        "A request was not answered in time; it may have been done.",
        "Nothing at first; the state is read back. Often: the broker is overloaded.",
    ),
    "NoResponders": Meaning(
        "The server is there and nobody in it answers for what keeps events.",
        "Check that the broker keeps events at all, in this account and domain.",
    ),
    "TLSFailed": Meaning(
        "The TLS handshake failed.",
        "Check spec.<broker>.tls: the authority, the names in the server's certificate, the client certificate.",
    ),
    "AuthenticationFailed": Meaning(
        "The broker does not accept the credentials.",
        "Put the right ones into the Secret; it is read again by itself.",
    ),
    "PermissionDenied": Meaning(
        "The credentials do not permit what is needed.",
        "Give the account the permissions that the message names.",
    ),
    "CredentialsInvalid": Meaning(
        "The Secret's content cannot be used as credentials.",
        "Put the keys into the Secret that the message asks for.",
    ),
    "VirtualHostMissing": Meaning(
        "The part of the broker that the EventBroker names is not there or closed to its user.",
        "Make it there, or give the user permissions in it.",
    ),
    "SecretNotFound": Meaning(
        "The Secret that the EventBroker names does not exist.",
        "Create it in the EventBroker's namespace or correct the name.",
    ),
    "SecretForbidden": Meaning(
        "The Secret may not be read.",
        "Permit get on that one Secret.",
    ),
    "SecretUnreadable": Meaning(
        "The API server did not hand out the Secret just now.",
        "Nothing; it is tried again.",
    ),
    "BrokerMissing": Meaning(
        "The EventBroker does not say how to reach a broker.",
        "Fill in the block of its kind in the spec; `headgate explain eb` lists them.",
    ),
    "BrokerInvalid": Meaning(
        "The EventBroker's spec cannot be read.",
        "Look at its conditions.",
    ),
    # what the server says for a while
    "NoAnswer": Meaning(
        "The broker answers, but for this one object nobody does.",
        "Bring the servers back that keep it; nothing is changed or concluded meanwhile.",
    ),
    "IncompleteResults": Meaning(
        "The servers answered in part only.",
        "Nothing; it is asked again.",
    ),
    "NoLeader": Meaning(
        "An object, or the whole cluster, has no leader right now.",
        "Nothing for a minute; then look whether a majority of the servers is up.",
    ),
    "StreamOffline": Meaning(
        "The servers that keep the object are away.",
        "Bring them back; nothing is changed meanwhile.",
    ),
    "ConsumerOffline": Meaning(
        "The reader's servers are away.",
        "Bring them back; nothing is changed meanwhile.",
    ),
    "MoveInProgress": Meaning(
        "The object is being moved between servers.",
        "Wait for the move to end.",
    ),
    "TooManyRequests": Meaning(
        "The servers ask for fewer requests.",
        "Nothing; it is tried again more slowly.",
    ),
    "TemporarilyUnavailable": Meaning(
        "The server could not do it now.",
        "Nothing; it is tried again.",
    ),
    "ServerTrouble": Meaning(
        "The server failed at it.",
        "Nothing at first; if it stays, read the server's log.",
    ),
    "Changed": Meaning(
        "The object came, went or changed while it was written.",
        "Nothing; it is read and decided again.",
    ),
    # what the server refuses
    "RequestRefused": Meaning(
        "The server refused the request for the reason in the message.",
        "Read the message; mostly the object was changed by hand.",
    ),
    "LimitReached": Meaning(
        "A limit of the account or server on objects, readers or storage is reached.",
        "Raise the limit, or delete what is not needed.",
    ),
    "InsufficientResources": Meaning(
        "The servers lack memory or disk for this.",
        "Add disk, declare smaller bounds, or delete what is not needed.",
    ),
    "NoSuitablePeers": Meaning(
        "No servers fit the asked placement and replicas.",
        "Ask for fewer replicas or another placement, or add servers.",
    ),
    "UnsupportedByServer": Meaning(
        "The server is too old for the field.",
        "Upgrade the server, or take the field away.",
    ),
    "UnsupportedByBroker": Meaning(
        "This kind of broker cannot do it.",
        "Take the field away or declare what the message offers instead.",
    ),
    "NotYet": Meaning(
        "Headgate cannot do this on this kind of broker yet.",
        "Declare what the message offers instead.",
    ),
    "PersistenceDisabled": Meaning(
        "The account or server keeps no events: it has no persistence.",
        "Enable it, or correct the domain in the EventBroker.",
    ),
    "ImmutableSetting": Meaning(
        "The server refuses to change a setting.",
        "Declare the old value again, or move to a new object.",
    ),
    "ReplicasNotPossible": Meaning(
        "So many copies cannot be kept there.",
        "Declare fewer replicas, or add servers.",
    ),
    "NoCopyToSpare": Meaning(
        "Every copy must have an event before it is acknowledged, so one server that is down stops publishers.",
        "Declare fewer copies in sync, or more replicas.",
    ),
    "UncleanElection": Meaning(
        "A copy that lags behind may take over, and events that were acknowledged are gone.",
        "Switch unclean elections off unless that is meant.",
    ),
    "GroupActive": Meaning(
        "Workers of the group are running, and the broker changes no positions under them.",
        "Scale the workers to zero for a moment; it is tried again by itself.",
    ),
    "NewPartitionsUncommitted": Meaning(
        "The topic has partitions in which the running group has no position yet.",
        "Have the workers begin with the earliest event there, or scale them to zero for a moment.",
    ),
    "StartNotApplied": Meaning(
        "Workers of a group came before it was given its start, so they began where their own settings say.",
        "Scale the workers to zero for a moment to have them begin as spec.start declares.",
    ),
    "OffsetsExpired": Meaning(
        "The broker forgot positions of the group while nobody was in it.",
        "Nothing where they were brought back: some events may be handled again. Where workers are running again, scale "
        "them to zero for a moment.",
    ),
    "OffsetsStale": Meaning(
        "The group stands behind the last event of the topic, which was made anew or lost events.",
        "Scale the workers to zero and set the positions by hand, or delete them there to have the group begin as declared.",
    ),
    "MaxBytesRequired": Meaning(
        "The account demands a bound on the size of everything that keeps events.",
        "Declare retention.maxBytes.",
    ),
    "NameInvalid": Meaning(
        "The broker does not take the name.",
        "Choose another spec.externalName.",
    ),
    "SubjectsOverlap": Meaning(
        "Something else in the broker takes the same subjects already.",
        "Declare other subjects, or change what the message names.",
    ),
    "FiltersOverlap": Meaning(
        "The server takes no overlapping filters in one group.",
        "Leave out the narrower filter.",
    ),
    "InvalidSetting": Meaning(
        "The server takes no such setting.",
        "Correct the field that the message names.",
    ),
    "PolicyShadowed": Meaning(
        "A policy that somebody else wrote in the broker is in effect on the object instead of ours.",
        "Lower the priority of the policy that the message names, narrow its pattern, or raise policyPriority of the "
        "EventBroker.",
    ),
    "PluginMissing": Meaning(
        "The object needs a plugin that the broker does not run.",
        "Enable the plugin that the message names on every node.",
    ),
    "NotHonoured": Meaning(
        "The server accepted a setting and made something else of it, mostly because it is too old.",
        "Upgrade the server, or take the field away.",
    ),
    "MaxPayload": Meaning(
        "The message is larger than the server takes.",
        "Raise the server's max_payload.",
    ),
    "BadHeader": Meaning(
        "A header cannot be sent as it is.",
        "Look at the event's headers.",
    ),
    # the mover's notices
    "CaptureMissing": Meaning(
        "Nothing keeps the broker's notices yet, so what workers give up without saying so is not captured.",
        "The operator makes it; look at condition Reachable of the EventBroker.",
    ),
    "CaptureRefused": Meaning(
        "The mover's reader of notices cannot be made.",
        "Read the message; mostly permissions are missing.",
    ),
    "NotMade": Meaning(
        "The DeadLetterQueue is not in its broker yet.",
        "Look at its conditions.",
    ),
}
