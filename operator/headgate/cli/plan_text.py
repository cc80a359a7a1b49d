"""A plan for people and for programs. Knows how to say it, decides nothing."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from headgate.cli.plan_gather import Gathered
from headgate.cli.plan_outlook import Outlook, Result, Step
from headgate.core.changes import Action
from headgate.core.estate import Ref
from headgate.core.outcomes import Finding, Outcome
from headgate.core.resource import Diff

SIGNS: Final = {
    Action.CREATE: "+",
    Action.ADOPT: "^",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.RELEASE: "o",
}
_STYLES: Final = {
    Action.CREATE: "green",
    Action.ADOPT: "cyan",
    Action.UPDATE: "yellow",
    Action.DELETE: "red",
    Action.RELEASE: "yellow",
}
_QUIET: Final = frozenset({Result.IN_SYNC})


class Line(NamedTuple):
    """One line, and how a terminal shows it."""

    text: str
    style: str = ""


def show(gathered: Gathered, outlooks: Sequence[Outlook], *, everything: bool) -> None:
    """Print for people: in colours on a terminal, else as plain text."""
    told = lines(gathered, outlooks, everything=everything)
    if not sys.stdout.isatty():
        sys.stdout.writelines(f"{line.text}\n" for line in told)
        return
    from rich.console import Console  # noqa: PLC0415  (not needed to print help, nor into a file)
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False, soft_wrap=True)
    for line in told:
        console.print(Text(line.text, style=line.style))


def lines(gathered: Gathered, outlooks: Sequence[Outlook], *, everything: bool) -> Iterator[Line]:
    """All that there is to say; what is as declared is only counted unless everything is asked for."""
    yield from (Line(f"note: {note}", "dim") for note in gathered.notes)
    for complaint in gathered.complaints:
        named = f" {_name(complaint.ref)}" if complaint.ref else ""
        yield Line(f"{complaint.place}{named}: would not be accepted: {complaint.error}", "red")
    for outlook in outlooks:
        if everything or outlook.result not in _QUIET or outlook.findings or outlook.notes:
            yield from _object(outlook)
    yield Line(_summary(outlooks), "bold")


def _object(outlook: Outlook) -> Iterator[Line]:
    at = f" on {_name(outlook.broker)}" if outlook.broker not in (None, outlook.ref) else ""
    yield Line(f"{_name(outlook.ref)}{at}: {outlook.result}", "bold")
    for step in outlook.steps:
        yield from _step(step, outlook.result)
    yield from (Line(f"  = {key} stays in the broker") for key in outlook.left)
    yield from map(_finding, outlook.findings)
    for note in outlook.notes:
        yield Line(f"  ? {note.effect} {note.field}: {note.message}", "magenta")


def _step(step: Step, result: Result) -> Iterator[Line]:
    not_done = "" if step.order is not None else f" (not done: {result})"
    yield Line(f"  {SIGNS[step.action]} {step.action} {step.key}{not_done}", _STYLES[step.action])
    width = max((len(diff.word) for diff in step.fields), default=0)
    for diff in step.fields:
        yield Line(f"      {diff.word:<{width}}  {_change(step.action, diff)}")


def _change(action: Action, diff: Diff) -> str:
    if action is Action.CREATE:
        return diff.will
    reset = " (no longer declared: the broker's default)" if diff.reset else ""
    return f"{diff.was} -> {diff.will}{reset}"


def _finding(finding: Finding) -> Line:
    at = f" {finding.field}" if finding.field and finding.field not in finding.message else ""
    rule = f" [{finding.rule}]" if finding.rule else ""
    style = "yellow" if finding.outcome is Outcome.WARNING else "red"
    return Line(f"  ! {_words(finding)}{at}: {finding.message}{rule}", style)


def _words(finding: Finding) -> str:
    outcome, reason = finding.outcome.value, finding.reason
    return outcome if outcome == reason else f"{outcome} {reason}"


def _summary(outlooks: Sequence[Outlook]) -> str:
    done = _counted(outlooks)
    changes = ", ".join(f"{count} to {action.lower()}" for action, count in done.items() if count)
    same = sum(outlook.result is Result.IN_SYNC for outlook in outlooks)
    stuck = sum(outlook.stands_in_the_way for outlook in outlooks)
    parts = [changes or "nothing to change", f"{same} of {len(outlooks)} as declared"]
    if stuck:
        parts.append(f"{stuck} that cannot be made as declared (`headgate explain REASON` says more)")
    return f"Plan: {'; '.join(parts)}."


def _counted(outlooks: Iterable[Outlook]) -> dict[Action, int]:
    """How many broker objects each action would be done to."""
    found = Counter(step.action for o in outlooks for step in o.steps if step.order is not None)
    return {action: found[action] for action in Action}


def _name(ref: Ref | None) -> str:
    return "" if ref is None else f"{ref.kind} {ref.namespace}/{ref.name}"


def as_json(gathered: Gathered, outlooks: Sequence[Outlook]) -> str:
    """The same for programs: keys are only ever added."""
    document = {
        "objects": [_json_object(outlook) for outlook in outlooks],
        "refusedManifests": [
            {
                "file": complaint.place.file,
                "document": complaint.place.document,
                **_json_ref(complaint.ref),
                "field": complaint.error.path,
                "rule": complaint.error.rule,
                "message": complaint.error.message,
            }
            for complaint in gathered.complaints
        ],
        "notes": list(gathered.notes),
        "summary": {
            **{action.lower(): count for action, count in _counted(outlooks).items()},
            "inSync": sum(outlook.result is Result.IN_SYNC for outlook in outlooks),
            "inTheWay": sum(outlook.stands_in_the_way for outlook in outlooks),
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _json_object(outlook: Outlook) -> dict[str, Any]:
    return {
        **_json_ref(outlook.ref),
        "broker": outlook.broker and f"{outlook.broker.namespace}/{outlook.broker.name}",
        "result": outlook.result,
        "deleting": outlook.deleting,
        "changes": [_json_step(step) for step in outlook.steps],
        "left": [str(key) for key in outlook.left],
        "findings": [
            {"outcome": f.outcome, "reason": f.reason, "field": f.field, "rule": f.rule, "message": f.message}
            for f in outlook.findings
        ],
        "unsupported": [{"field": n.field, "effect": n.effect, "message": n.message} for n in outlook.notes],
    }


def _json_ref(ref: Ref | None) -> dict[str, str | None]:
    if ref is None:
        return {"kind": None, "namespace": None, "name": None}
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _json_step(step: Step) -> dict[str, Any]:
    return {
        "action": step.action,
        "object": str(step.key),
        "order": step.order,
        "fields": [
            {
                "field": diff.word,
                "from": None if diff.before is None else diff.was,
                "to": None if diff.after is None else diff.will,
                "reset": diff.reset,
            }
            for diff in step.fields
        ],
    }
