"""Reasons that conditions and plans give for objects and what they stand for in a broker. Data only: decides nothing."""

from collections.abc import Mapping
from typing import Final

from headgate.core.meaning import Meaning

OF_OBJECTS: Final[Mapping[str, Meaning]] = {
    # how things stand
    "InSync": Meaning(
        "The broker holds exactly what is declared at this generation.",
        "Nothing.",
    ),
    "Progressing": Meaning(
        "The broker does not hold what is declared yet, and nothing stands in the way.",
        "Wait a moment; if it stays, look at the operator's log and at condition Reachable of the EventBroker.",
    ),
    "PlanOnly": Meaning(
        "spec.mode is Plan: what would change is worked out and not done.",
        "Read status.plan or run `headgate plan`; set spec.mode to Enforce to have it done.",
    ),
    "Observed": Meaning(
        "spec.mode is Observe: the broker is only looked at.",
        "Read condition Drifted; set spec.mode to Enforce to have differences repaired.",
    ),
    "Differs": Meaning(
        "Something in the broker is not as declared, and spec.mode says to leave it.",
        "Change the declaration, or set spec.mode to Enforce.",
    ),
    "Suspended": Meaning(
        "spec.suspend is set: nothing is changed in the broker, and the workload keeps its replicas.",
        "Take spec.suspend away when you are done.",
    ),
    "Deleting": Meaning(
        "The custom resource is being deleted.",
        "Wait; if it stays, its other conditions say what it waits for, e.g. StillUsed or ConfirmDelete.",
    ),
    "Valid": Meaning(
        "The retry policy can be used.",
        "Nothing.",
    ),
    "Fits": Meaning(
        "All attempts and waits of the policy fit into its deadline.",
        "Nothing.",
    ),
    "TooLong": Meaning(
        "Attempts and waits of the policy take longer than its deadline.",
        "Have fewer attempts, shorter waits or a longer deadline.",
    ),
    "NoDeadline": Meaning(
        "The policy has no deadline to fit into.",
        "Nothing; set spec.deadline if events lose their worth with time.",
    ),
    # what is declared
    "SpecInvalid": Meaning(
        "The spec cannot be read: a field is missing, has the wrong shape or breaks a rule.",
        "Correct the field that the message names; `headgate validate -f FILE` says it before you apply.",
    ),
    "Invalid": Meaning(
        "A field breaks a rule that one object can prove about itself.",
        "Correct the field that the message names.",
    ),
    "NotFound": Meaning(
        "Something that is named or expected is not there.",
        "Check the name in the message, or create what is missing.",
    ),
    "BrokerNotFound": Meaning(
        "spec.brokerRef names an EventBroker that does not exist.",
        "Create it or correct the reference; without a namespace it means the object's own.",
    ),
    "TopicNotFound": Meaning(
        "spec.topicRef names an EventTopic that does not exist.",
        "Create it or correct the reference; the group goes on by itself.",
    ),
    "RetryPolicyNotFound": Meaning(
        "spec.retryPolicyRef names a RetryPolicy that does not exist in this namespace.",
        "Create it or correct the reference; policies are never shared across namespaces.",
    ),
    "DeadLetterQueueNotFound": Meaning(
        "spec.deadLetterQueueRef names a DeadLetterQueue that does not exist.",
        "Create it or correct the reference; the group goes on by itself.",
    ),
    "BrokerNotReady": Meaning(
        "The EventBroker is there but cannot be used as it is declared.",
        "Look at the EventBroker's conditions.",
    ),
    "TopicNotReady": Meaning(
        "The EventTopic is there but cannot be made as it is declared.",
        "Look at the EventTopic's conditions.",
    ),
    "RetryPolicyNotReady": Meaning(
        "The RetryPolicy is there but cannot be used as it is declared.",
        "Look at the RetryPolicy's conditions.",
    ),
    "DeadLetterQueueNotReady": Meaning(
        "The DeadLetterQueue is there but cannot be made as it is declared.",
        "Look at the DeadLetterQueue's conditions.",
    ),
    "BrokerDeleting": Meaning(
        "The EventBroker that is referred to is being deleted.",
        "Delete this object too, or create the EventBroker again once it is gone.",
    ),
    "TopicDeleting": Meaning(
        "The EventTopic that is referred to is being deleted.",
        "Delete the group too, or create the topic again once it is gone.",
    ),
    "RetryPolicyDeleting": Meaning(
        "The RetryPolicy that is referred to is being deleted.",
        "Name another policy.",
    ),
    "DeadLetterQueueDeleting": Meaning(
        "The DeadLetterQueue that is referred to is being deleted.",
        "Name another queue, or create it again once it is gone.",
    ),
    "NotPermitted": Meaning(
        "An owner's permissions do not cover this: of an EventBroker, of a topic or queue in another namespace, or of the cluster.",
        "The message names the field; ask that owner to allow the namespace, or declare what is allowed.",
    ),
    "Unsupported": Meaning(
        "The kind of broker cannot do what the field asks for, and nothing near enough either.",
        "Take the field away or declare what the message offers instead.",
    ),
    "Approximated": Meaning(
        "The broker cannot do exactly what is declared; the nearest thing is done and its error is stated.",
        "Read the message and decide whether the difference matters.",
    ),
    # whose it is
    "OwnedByAnother": Meaning(
        "The object in the broker carries the mark of somebody else.",
        "Choose another spec.externalName, or have that owner let go of it first.",
    ),
    "ClaimedByAnother": Meaning(
        "Another custom resource claims the same object in the broker and comes first.",
        "Choose another spec.externalName, or delete one of the two.",
    ),
    "AlreadyExists": Meaning(
        "The object exists in the broker, is nobody's, and adoptionPolicy is Never.",
        "Choose another spec.externalName, or declare adoptionPolicy IfMatches or Always.",
    ),
    "ExistsAndDiffers": Meaning(
        "The object exists in the broker, is nobody's, and differs from what is declared.",
        "Declare what is there, or adoptionPolicy Always to have it changed.",
    ),
    "NotOurs": Meaning(
        "The object in the broker does not carry our mark, so it was left there.",
        "Delete it by hand if it is not wanted.",
    ),
    # what cannot be changed
    "FieldImmutable": Meaning(
        "The broker cannot change this setting of an existing object.",
        "Declare the old value again, or move to a new object with another spec.externalName.",
    ),
    "FieldCannotShrink": Meaning(
        "The setting can only grow: a smaller value is refused or would lose data.",
        "Declare the old value again, or move to a new object.",
    ),
    "FieldCannotBeSwitchedOff": Meaning(
        "The setting can be switched on, never off.",
        "Declare it on again, or move to a new object.",
    ),
    "NeedsMissing": Meaning(
        "An object of the broker that this one needs is not there and will not be.",
        "Look at the custom resource that declares the missing one.",
    ),
    "NeedsUnread": Meaning(
        "There is something to do about the object, and the broker says nothing now about one that it needs.",
        "Look at condition Ready of what declares that one; this goes on by itself when it answers again.",
    ),
    # what is gone
    "DataLost": Meaning(
        "An object that held data vanished or was replaced; nobody has acknowledged it.",
        "Restore it from a backup, or annotate headgate.dev/acknowledge with the identity that the message gives.",
    ),
    "Vanished": Meaning(
        "An object that held data is gone; nothing is made in its place.",
        "Restore it, or acknowledge the loss as the message says.",
    ),
    "Recreated": Meaning(
        "An object that held data is gone, and an empty one was made because onVanished is Recreate.",
        "Acknowledge the loss as the message says once everybody knows.",
    ),
    "Replaced": Meaning(
        "Another object stands where one with data was.",
        "Find out who replaced it; acknowledge the loss to go on with the new one.",
    ),
    "TopicDataLost": Meaning(
        "The group waits because the data of its topic is lost.",
        "Acknowledge the loss on the EventTopic.",
    ),
    "EstateVanished": Meaning(
        "So much is gone at once, or another cluster answers, that nothing is changed on this broker.",
        "Find out what happened to the broker before you acknowledge on the EventBroker.",
    ),
    "ManyVanished": Meaning(
        "More objects vanished in one pass than an accident takes.",
        "Check whether the broker lost its disk or was reset; restore it, or acknowledge on the EventBroker.",
    ),
    "AnotherCluster": Meaning(
        "Another broker cluster answers at the address than the one that was known.",
        "Check address and DNS; if the change is meant, acknowledge on the EventBroker.",
    ),
    "IdentityUnknown": Meaning(
        "The object is ours by its mark, but status had forgotten it; its identity is learned anew.",
        "Nothing.",
    ),
    "PositionResumed": Meaning(
        "A group's reader was gone and came back at the last position seen settled.",
        "Expect some events to be handled again; none is left out.",
    ),
    "PositionUnknown": Meaning(
        "A group's reader was gone and no position of it means anything, so it starts as spec.start says.",
        "Check whether that start leaves out events you need.",
    ),
    "ReaderReplaced": Meaning(
        "Somebody deleted a group's reader and made it again; where it stands was their choice.",
        "Check its position; delete it once more to have it start as spec.start says.",
    ),
    # on the way out
    "ConfirmDelete": Meaning(
        "The object was there before its custom resource and is deleted only when a person names it.",
        "Annotate headgate.dev/confirm-delete with its name, or declare deletionPolicy Retain.",
    ),
    "StillUsed": Meaning(
        "Others still live on the object that is to be deleted.",
        "Delete those first; the message names them.",
    ),
    "NotEmpty": Meaning(
        "deletionPolicy is DeleteIfEmpty and the object holds something, so it was left in the broker.",
        "Delete it by hand if it is not wanted.",
    ),
    "IdentityChanged": Meaning(
        "The object was deleted and made again since it was recorded, so it was not touched.",
        "Look at what stands there now; delete it by hand if it is not wanted.",
    ),
    "Orphaned": Meaning(
        "The custom resource is gone and something was left in the broker.",
        "Delete it there by hand if it is not wanted.",
    ),
    "LeftAtZero": Meaning(
        "A group is gone and its workload was left without replicas.",
        "Scale the workload by hand if it is still needed.",
    ),
    # the binding
    "BindingTaken": Meaning(
        "The ConfigMap that spec.binding names exists and is not ours.",
        "Choose another name in spec.binding, or delete that ConfigMap.",
    ),
    "BindingForbidden": Meaning(
        "The operator may not write ConfigMaps in the group's namespace.",
        "Give its ServiceAccount the rights that docs/rbac.md lists.",
    ),
    # the cluster
    "Conflict": Meaning(
        "Two want the same thing, or somebody wrote in between.",
        "The message names the other one; writes to the cluster are repeated by themselves.",
    ),
    "Forbidden": Meaning(
        "The cluster does not permit what was asked.",
        "Give the ServiceAccount the rights that docs/rbac.md lists.",
    ),
    "KubernetesError": Meaning(
        "The API server did not do what was asked.",
        "Read the message.",
    ),
    "KubernetesUnavailable": Meaning(
        "The API server did not answer or was overloaded.",
        "Nothing; it is tried again.",
    ),
    "KubernetesUnknown": Meaning(
        "The answer of the API server was lost, so the write may have been done.",
        "Nothing; it is read back.",
    ),
    "LeaseLost": Meaning(
        "This operator is not, or no longer, the one that acts, so it wrote nothing.",
        "Nothing; the holder of the Lease acts.",
    ),
}
