# Copyright: Trust Stack contributors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which node starts a Galera cluster, and which may only join: pure functions, no I/O."""

from __future__ import annotations

from typing import Any

NO_UUID = "00000000-0000-0000-0000-000000000000"
UNKNOWN = -1


def parse_grastate(text):
    """grastate.dat -> {"uuid", "seqno", "safe_to_bootstrap"}."""
    found = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            found[key.strip()] = value.strip()
    return {
        "uuid": found.get("uuid") or NO_UUID,
        "seqno": _number(found.get("seqno")),
        "safe_to_bootstrap": found.get("safe_to_bootstrap") == "1",
    }


def parse_position(text):
    """The last "uuid:seqno" in what galera_recovery printed -> (uuid, seqno)."""
    for word in reversed(text.replace("=", " ").split()):
        uuid, colon, seqno = word.partition(":")
        if colon and len(uuid) == len(NO_UUID):
            return uuid, _number(seqno.partition(",")[0])
    return NO_UUID, UNKNOWN


def is_healthy(node):
    """A synced (or donating) member of a Primary component, with the configuration that is on its disk."""
    return bool(_primary(node) and node.get("state") in (2, 4) and not node.get("stale"))


def decide(nodes, force=""):
    """What to do so that all nodes are members of one cluster.

    nodes: the data nodes in inventory order, as galera_facts describes them, plus name and reachable.
    Returns bootstrap (one name or None), start, restart (one by one), stop (then look again) and refuse (why).
    """
    plan: dict[str, Any] = {"bootstrap": None, "start": [], "restart": [], "stop": [], "refuse": None}
    here = [n for n in nodes if n.get("reachable")]
    primary = [n for n in here if _primary(n)]
    mute = [n["name"] for n in here if n.get("service") == "up" and not n.get("answers")]
    try:
        if mute:
            raise RefusedError(f"mariadbd runs but does not answer on {_list(mute)}; end that process, then run this again")
        if primary:
            return _join(plan, nodes, here, primary)
        return _cold_start(plan, nodes, here, force)
    except RefusedError as reason:
        plan["refuse"] = str(reason)
        return plan


class RefusedError(Exception):
    """Nothing may be started: the text says why, and the mend."""


def _join(plan, nodes, here, primary):
    if len({n.get("cluster_uuid") for n in primary}) > 1 or min(n.get("size", 0) for n in primary) < len(primary):
        raise RefusedError(
            f"two clusters run side by side: {_list(n['name'] for n in primary)} are each Primary, but not of one "
            "cluster; stop mariadb where the data is to be thrown away"
        )
    others = [n for n in here if n not in primary]
    _refuse_foreign(others)
    # A node that is starting may be in the middle of a state transfer: wait for it, do not disturb it.
    plan["start"] = [n["name"] for n in others if n.get("service") != "starting"]
    # With a node out of sight a restart could take the last copy down: the next whole run does it.
    if len(here) == len(nodes):
        plan["restart"] = [n["name"] for n in primary if n.get("stale")]
    return plan


def _cold_start(plan, nodes, here, force):
    away = [n["name"] for n in nodes if not n.get("reachable")]
    if force:
        if force not in [n["name"] for n in here]:
            raise RefusedError(f"mariadb_force_bootstrap names {force}, which is not among the reachable data nodes")
        plan["stop"] = [n["name"] for n in here if _must_stop(n)]
        if not plan["stop"]:
            _bootstrap(plan, here, force)
        return plan
    if away:
        raise RefusedError(
            f"no node is Primary and {_list(away)} cannot be asked: it may hold newer data; bring it back, "
            "or set mariadb_force_bootstrap to the node whose data is to be kept"
        )
    # Their position can be read only while they stand still; none of them serves anything now.
    plan["stop"] = [n["name"] for n in here if _must_stop(n)]
    if not plan["stop"]:
        _bootstrap(plan, here, _newest(here))
    return plan


def _bootstrap(plan, here, winner):
    others = [n for n in here if n["name"] != winner]
    _refuse_foreign(others)
    plan["bootstrap"] = winner
    plan["start"] = [n["name"] for n in others]


def _newest(here):
    history = [n for n in here if n.get("uuid", NO_UUID) != NO_UUID]
    if not history:
        return _first_ever(here)
    if len({n["uuid"] for n in history}) > 1:
        origins = _list(f"{n['name']}: {n['uuid']}" for n in history)
        raise RefusedError(
            f"the nodes come from different clusters ({origins}); set mariadb_force_bootstrap to the node whose data is to be kept"
        )
    safe = [n for n in history if n.get("safe_to_bootstrap")]
    lost = [n["name"] for n in history if n.get("seqno", UNKNOWN) < 0]
    if lost and len(safe) != 1:
        raise RefusedError(
            f"the position of {_list(lost)} is not known (galera_recovery found none); "
            "set mariadb_force_bootstrap to the node whose data is to be kept"
        )
    if lost:
        return safe[0]["name"]
    # The highest position wins over the flag; at a draw the flag, then inventory order.
    return max(history, key=lambda n: (n["seqno"], bool(n.get("safe_to_bootstrap"))))["name"]


def _first_ever(here):
    filled = [n["name"] for n in here if n.get("foreign_data")]
    if len(filled) > 1:
        raise RefusedError(
            f"{_list(filled)} hold databases but were never in a cluster; set mariadb_force_bootstrap to the one to keep "
            "and empty the other"
        )
    return filled[0] if filled else here[0]["name"]


def _refuse_foreign(nodes):
    filled = [n["name"] for n in nodes if n.get("foreign_data")]
    if filled:
        raise RefusedError(
            f"{_list(filled)} holds databases that were never in this cluster, and joining would wipe them; move its data directory away"
        )


def _must_stop(node):
    if node.get("service") == "up" and node.get("uuid", NO_UUID) != NO_UUID:
        lone = not node.get("wsrep") or node.get("status") == "Disconnected"
        return lone or node.get("seqno", UNKNOWN) < 0
    return node.get("service") == "starting"


def _primary(node):
    return node.get("service") == "up" and bool(node.get("wsrep")) and node.get("status") == "Primary"


def _list(names):
    return ", ".join(names)


def _number(text):
    try:
        return int(text)
    except (TypeError, ValueError):
        return UNKNOWN
