# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which instances are ill, and what is done about it. Pure: from what was seen now and what earlier looks remembered.

It does little on purpose. Who cannot see must not heal, and a host that three heals did not help needs a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .stackfile import Instance, Stack

SICK = 20.0  # seconds that a server is DOWN everywhere before its services are restarted
SILENT = 150.0  # seconds without a sign of a worker: the longest task may take 120, and the host's own watchdog comes long before
STILL = 60.0  # seconds that a worker is seen silent; also what a restart of services gets to help, before the machine is restarted
BOOT = 120.0  # what a restart of the machine gets
SLACK = 5.0  # a look each minute comes a little early or late
MOST = 3  # heals of one host
HOUR = 3600.0  # within so many seconds

BY_SERVICES = ("app", "worker")  # layers whose services and machines are restarted; others keep data, a vote or an address
WELL, ILL, OFF, ABSENT, UNSEEN = "well", "ill", "off", "absent", "unseen"


@dataclass(frozen=True)
class Sight:
    """One instance as it was seen."""

    machine: str = "on"  # on, off, or absent: it was never made
    pools: Mapping[str, str] = field(default_factory=dict)  # balancer that answers: what it says of this server
    down: float = 0.0  # seconds since that last changed, in the balancer where it changed last
    heartbeat: float | None = None  # seconds since the worker's last sign of work; None: it could not be asked for


@dataclass(frozen=True)
class Case:
    """What is remembered of one host."""

    since: float = 0.0  # when this illness was first seen, in seconds since 1970; 0: it is well
    last: str = ""  # what was done last about this illness: services, machine or start
    heals: tuple[float, ...] = ()  # when it was healed within the last hour


@dataclass(frozen=True)
class Verdict:
    state: str
    why: str = ""
    seconds: float = 0.0  # how long, as far as others know


@dataclass(frozen=True)
class Healing:
    restart_services: Mapping[str, str]  # name: why
    restart_machine: Mapping[str, str]
    start_machine: Mapping[str, str]
    notes: tuple[str, ...]
    memory: Mapping[str, Case]


def judge(one: Instance, sight: Sight) -> Verdict:
    if sight.machine == "absent":
        return Verdict(ABSENT, "it was never made")
    if sight.machine != "on":
        return Verdict(OFF, "its machine is off")
    if one.layer in ("app", "database"):
        if not sight.pools:
            return Verdict(UNSEEN, "no balancer says how it is")
        # "DOWN 1/2": the checks pass again, it is about to come back.
        if all(state.startswith("DOWN") and "/" not in state for state in sight.pools.values()):
            return Verdict(ILL, f"DOWN for {sight.down:.0f} s in {' and '.join(sorted(sight.pools))}", sight.down)
    if one.layer == "worker":
        if sight.heartbeat is None:
            return Verdict(UNSEEN, "the app does not say whether it works")
        if sight.heartbeat > SILENT:
            return Verdict(ILL, f"no sign of work for {sight.heartbeat:.0f} s" if sight.heartbeat < HOUR else "no sign of work for an hour or more")
    return Verdict(WELL)


def heal(
    stack: Stack, now: datetime, sights: Mapping[str, Sight], online: frozenset[str], memory: Mapping[str, Case], held: Mapping[str, str]
) -> Healing:
    """What to do now. `online`: time- and load-based instances that were started. `held`: name: why it is left alone."""
    at = now.timestamp()
    expected = [one for one in stack.instances if one.type == "always" or one.name in online]
    verdicts = {one.name: judge(one, sights.get(one.name, Sight("absent"))) for one in expected}
    after = _remember(memory, verdicts, at)
    blocked, notes = _cut_off(expected, verdicts, set(held))

    found: dict[str, dict[str, str]] = {"services": {}, "machine": {}, "start": {}}
    for one in expected:
        verdict, case = verdicts[one.name], after[one.name]
        if verdict.state in (WELL, UNSEEN) or one.layer in blocked:
            continue
        if one.name in held:
            notes.append(f"{one.name}: {verdict.why}; left alone, {held[one.name]}")
            continue
        what, said = _remedy(stack, one, verdict, case, at)
        if what and len(case.heals) >= MOST:
            what, said = "", (
                f"alert: {one.name}: {verdict.why}, although it was healed {len(case.heals)} times within an hour; not again before "
                f"{_clock(case.heals[-MOST] + HOUR)}; mend: look at its journal"
            )
        if what:
            found[what][one.name] = verdict.why
            after[one.name] = Case(case.since, what, (*case.heals, at))
        else:
            notes.append(said)
    return Healing(found["services"], found["machine"], found["start"], tuple(notes), after)


def _remedy(stack: Stack, one: Instance, verdict: Verdict, case: Case, at: float) -> tuple[str, str]:
    """(what to do, why nothing is done): one of the two is empty."""
    if verdict.state == ABSENT and one.type == "always":
        return "", f"{one.name}: {verdict.why}; mend: playbooks/site.yml"
    if verdict.state in (OFF, ABSENT):
        return "start", ""
    if one.layer not in BY_SERVICES:
        return "", f"alert: {one.name}: {verdict.why}; it keeps data and is not restarted by itself; mend: look at its journal"
    known = at - case.since
    wait = SICK - max(verdict.seconds, known) if one.layer == "app" else STILL - SLACK - known
    if not case.last and wait > 0:
        return "", f"{one.name}: {verdict.why}; healed when that lasts another {wait:.0f} s"
    if case.last in ("", "start"):
        return "services", ""
    wait = (BOOT if case.last == "machine" else STILL) - SLACK - (at - case.heals[-1] if case.heals else HOUR)
    if wait > 0:
        return "", f"{one.name}: {verdict.why}; its {case.last} {'were' if case.last == 'services' else 'was'} restarted; another {wait:.0f} s to come back"
    if stack.provider == "static":
        return "", f"alert: {one.name}: {verdict.why}, and a restart of its services did not help; mend: restart its machine, which this provider cannot"
    return "machine", ""


def _cut_off(expected: list[Instance], verdicts: Mapping[str, Verdict], busy: set[str]) -> tuple[set[str], list[str]]:
    """The layers in which nothing is healed. Where most look dead it is likelier that they cannot be seen from here."""

    def bad(members: list[Instance]) -> list[str]:
        return [one.name for one in members if verdicts[one.name].state != WELL and one.name not in busy]

    mend = "mend: see from here whether they answer, and heal by hand"
    layers = list(dict.fromkeys(one.layer for one in expected))
    everywhere = bad(expected)
    if 2 * len(everywhere) > len(expected):
        said = f"alert: {len(everywhere)} of {len(expected)} instances look dead or cannot be seen: this control node may be cut off. Nothing is healed; {mend}"
        return set(layers), [said]
    blocked, notes = set(), []
    for layer in layers:
        members = [one for one in expected if one.layer == layer]
        if len(members) > 1 and 2 * len(names := bad(members)) > len(members):  # of one that stands alone the others tell
            blocked.add(layer)
            why = "; ".join(f"{name}: {verdicts[name].why}" for name in names)
            notes.append(f"alert: {layer}: {len(names)} of {len(members)} look dead or cannot be seen ({why}). None of them is healed; {mend}")
    return blocked, notes


def _remember(memory: Mapping[str, Case], verdicts: Mapping[str, Verdict], at: float) -> dict[str, Case]:
    after = {}
    for name in (*verdicts, *(name for name in memory if name not in verdicts)):
        case, state = memory.get(name, Case()), verdicts.get(name, Verdict(WELL)).state
        # A clock that was set back must neither forget a heal nor forbid the next one for ever.
        heals = tuple(min(moment, at) for moment in case.heals if at - moment < HOUR)
        if state == WELL:
            case = Case(heals=heals)
        elif state == UNSEEN:
            case = Case(case.since, case.last, heals)
        else:
            case = Case(min(case.since, at) or at, case.last, heals)
        if name in verdicts or case.heals:
            after[name] = case
    return after


def remember(kept: Mapping[str, Any]) -> dict[str, Case]:
    """What `as_kept` wrote. What cannot be read is forgotten, and then a host may be healed three times more."""
    found = {}
    for name, data in kept.items():
        try:
            found[str(name)] = Case(float(data["since"]), str(data["last"]), tuple(float(moment) for moment in data["heals"]))
        except (KeyError, TypeError, ValueError):
            continue
    return found


def as_kept(memory: Mapping[str, Case]) -> dict[str, Any]:
    return {name: {"since": case.since, "last": case.last, "heals": list(case.heals)} for name, case in memory.items()}


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"
