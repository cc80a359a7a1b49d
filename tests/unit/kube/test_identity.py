"""When a holder of the Lease is certainly gone, and when its Lease has to run out."""

from dataclasses import replace
from pathlib import Path

import pytest

from headgate.kube.identity import Holder, this_process

ME = Holder("node-1", "-", "b00t", "4026", 77, "900")


def machine(root: Path, processes: dict[int, tuple[str, str]]) -> Path:
    for pid, (state, started) in processes.items():
        (root / str(pid)).mkdir(parents=True)
        fields = [state, *["0"] * 18, started, "0"]
        (root / str(pid) / "stat").write_text(f"{pid} (head gate) {' '.join(fields)}")
    return root


OTHERS: dict[str, tuple[Holder, Holder | None, bool]] = {
    "a running process of this machine": (ME, replace(ME, pid=10, started="500"), False),
    "an ended process of this machine": (ME, replace(ME, pid=11, started="500"), True),
    "a process whose number another one has now": (ME, replace(ME, pid=10, started="400"), True),
    "what is left of a process nobody has waited for": (ME, replace(ME, pid=12, started="500"), True),
    "a process of another machine": (ME, replace(ME, boot="0ther", pid=11), False),
    "a process in another space of numbers": (ME, replace(ME, pids="4099", pid=11), False),
    "the predecessor in the same pod, whatever its number": (
        replace(ME, pod="uid-1"),
        replace(ME, pod="uid-1", boot="0ther", pids="4099", pid=1),
        True,
    ),
    "another pod on the same machine": (
        replace(ME, pod="uid-1"),
        replace(ME, pod="uid-2", pids="4099"),
        False,
    ),
    "this very process": (ME, ME, True),
    "somebody whose name means nothing here": (ME, None, False),
}


@pytest.mark.parametrize(("me", "other", "gone"), OTHERS.values(), ids=OTHERS.keys())
def test_only_certainty_counts(tmp_path: Path, me: Holder, other: Holder | None, gone: bool) -> None:  # noqa: FBT001  (a table's column)
    proc = machine(tmp_path, {10: ("S", "500"), 12: ("Z", "500")})
    assert me.outlived(other, proc) is gone


def test_a_name_can_be_read_back() -> None:
    awkward = replace(ME, host="a_b_c")
    assert Holder.parse(str(awkward)) == awkward


FOREIGN = {"client-go's names": "pod-7f_1c2d3e", "a plain word": "somebody", "nothing": ""}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN.keys())
def test_names_of_others_are_not_understood(text: str) -> None:
    assert Holder.parse(text) is None


def test_this_process_is_alive_in_its_own_eyes() -> None:
    me = this_process({"POD_NAME": "headgate-0", "POD_UID": "-"})
    assert (me.host, replace(me, host="x").outlived(me)) == ("headgate-0", False)
