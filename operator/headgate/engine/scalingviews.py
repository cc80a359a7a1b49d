"""What status says about scaling, read back after a restart so that a decision is not announced twice. Knows no broker."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from headgate.core.workload import Activity, ScalingView


def shown_in(status: Mapping[str, Any]) -> ScalingView | None:
    """The decision that status shows; None where it shows none."""
    scaling = status.get("scaling") or {}
    if "desired" not in scaling:
        return None
    active: Mapping[str, Any] = next(
        (c for c in status.get("conditions") or () if c["type"] == "ScalingActive"), {}
    )
    changed = scaling.get("lastChange")
    reason = active.get("reason")
    return ScalingView(
        current=int(scaling.get("current") or 0),
        desired=int(scaling["desired"]),
        reason=str(scaling.get("reason") or ""),
        message=str(scaling.get("message") or ""),
        last_change=datetime.fromisoformat(changed) if changed else None,
        active=active.get("status") == "True",
        active_reason=Activity(reason) if reason in set(Activity) else Activity.ENFORCED,
        active_message=str(active.get("message") or ""),
        retry_saturated=any(
            c["type"] == "RetrySaturated" and c["status"] == "True" for c in status.get("conditions") or ()
        ),
        learned=(status.get("record") or {}).get("learned") or {},
    )
