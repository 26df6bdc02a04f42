"""Who is healed: every rule a table, and no run of luck at all breaks the promises."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible_collections.trust.stack.plugins.module_utils import maintenance, statefiles
from ansible_collections.trust.stack.plugins.module_utils.healing import HOUR, MOST, Case, Healing, Sight, as_kept, heal, remember
from ansible_collections.trust.stack.plugins.module_utils.stackfile import Instance, Stack
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

NOON = datetime(2027, 3, 12, 12, 0, tzinfo=UTC)
PAIRS = [Instance(f"{layer}-{zone}-1", layer, zone) for layer in ("lb", "app", "worker", "database", "redis", "memcached") for zone in "ab"]
MORE = [Instance("app-a-2", "app", "a", "time"), Instance("app-b-2", "app", "b", "load"), Instance("worker-a-2", "worker", "a", "time")]
ALONE = [Instance("arbiter-c-1", "arbiter", "c"), Instance("mail-c-1", "mail", "c")]
STACK = Stack("s", "podman", ("a", "b"), "c", (*PAIRS, *MORE, *ALONE), {})
STATIC = Stack("s", "static", ("a", "b"), "c", (*PAIRS, *MORE, *ALONE), {})
ONLINE = frozenset({"app-a-2", "app-b-2"})
ROOT = Path(__file__).parents[2]


def pools(state: str) -> dict[str, str]:
    return {"lb-a-1": state, "lb-b-1": state}


DOWN = Sight(pools=pools("DOWN"), down=25)
OFF, ABSENT, SILENT = Sight("off"), Sight("absent"), Sight(heartbeat=400.0)


def well(one: Instance) -> Sight:
    if one.layer in ("app", "database"):
        return Sight(pools=pools("UP"), down=5000)
    return Sight(heartbeat=1.0) if one.layer == "worker" else Sight()


@dataclass
class Control:
    """A control node that looks again and again."""

    stack: Stack = STACK
    online: frozenset[str] = ONLINE
    memory: dict[str, Case] = field(default_factory=dict)
    now: datetime = NOON

    def look(self, passed: float = 0, held: dict[str, str] | None = None, **sights: Sight) -> Healing:
        self.now += timedelta(seconds=passed)
        seen = {one.name: well(one) for one in self.stack.instances} | {name.replace("_", "-"): sight for name, sight in sights.items()}
        found = heal(self.stack, self.now, seen, self.online, self.memory, held or {})
        self.memory = remember(json.loads(json.dumps(as_kept(found.memory))))
        return found


def done(found: Healing) -> list[str]:
    actions = (("services", found.restart_services), ("machine", found.restart_machine), ("start", found.start_machine))
    return [f"{what} {name}" for what, names in actions for name in names]


def test_nothing_is_done_and_nothing_said_while_all_is_well() -> None:
    found = Control().look()
    assert (done(found), found.notes) == ([], ())


@pytest.mark.parametrize(("seconds", "healed"), [(0, False), (19, False), (20, True), (3600, True)])
def test_an_app_server_that_is_down_everywhere_for_20_seconds_gets_its_services_restarted(seconds: float, healed: bool) -> None:
    found = Control().look(app_b_1=Sight(pools=pools("DOWN"), down=seconds))
    assert done(found) == (["services app-b-1"] if healed else [])
    assert healed or "healed when that lasts another" in found.notes[0]
    if healed:
        assert found.restart_services["app-b-1"] == f"DOWN for {seconds} s in lb-a-1 and lb-b-1"


@pytest.mark.parametrize(
    "states",
    [
        {"lb-a-1": "DOWN", "lb-b-1": "UP"},  # the others reach it
        {"lb-a-1": "DOWN 1/2", "lb-b-1": "DOWN 1/2"},  # about to come back
        {"lb-a-1": "MAINT", "lb-b-1": "MAINT"},  # an operator's word
        {"lb-a-1": "DRAIN"},
        {"lb-a-1": "UP 1/2"},
        {},  # nobody can say
    ],
)
def test_whoever_is_not_down_everywhere_is_left_alone(states: dict[str, str]) -> None:
    assert done(Control().look(app_b_1=Sight(pools=states, down=500))) == []


def test_of_two_balancers_the_one_that_answers_is_enough() -> None:
    assert done(Control().look(app_b_1=Sight(pools={"lb-b-1": "DOWN"}, down=30))) == ["services app-b-1"]


def test_services_first_and_when_that_did_not_help_the_machine() -> None:
    control = Control()
    assert done(control.look(app_b_1=DOWN)) == ["services app-b-1"]
    early = control.look(40, app_b_1=DOWN)
    assert (done(early), early.notes) == ([], ("app-b-1: DOWN for 25 s in lb-a-1 and lb-b-1; its services were restarted; another 15 s to come back",))
    assert done(control.look(20, app_b_1=DOWN)) == ["machine app-b-1"]
    assert done(control.look(60, app_b_1=DOWN)) == []  # a machine takes longer
    assert done(control.look(60, app_b_1=DOWN)) == ["machine app-b-1"]


def test_a_look_that_comes_a_little_early_still_counts_as_the_next_minute() -> None:
    control = Control()
    control.look(app_b_1=DOWN)
    assert done(control.look(59.2, app_b_1=DOWN)) == ["machine app-b-1"]


def test_an_illness_that_was_over_begins_anew_with_the_services() -> None:
    control = Control()
    control.look(app_b_1=DOWN)
    assert done(control.look(30)) == []
    assert done(control.look(600, app_b_1=DOWN)) == ["services app-b-1"]


def test_a_worker_is_healed_when_it_is_seen_silent_for_a_minute() -> None:
    """An instance that was just started has a sign from yesterday: one look is not enough."""
    control = Control()
    assert done(control.look(worker_a_1=SILENT)) == []
    assert done(control.look(60, worker_a_1=SILENT)) == ["services worker-a-1"]
    assert done(control.look(60, worker_a_1=SILENT)) == ["machine worker-a-1"]
    never = Control()
    assert done(never.look(worker_a_1=Sight(heartbeat=math.inf))) == []
    assert done(never.look(60, worker_a_1=Sight(heartbeat=math.inf))) == ["services worker-a-1"]
    busy = Control()
    for _minute in range(10):
        assert done(busy.look(60, worker_a_1=Sight(heartbeat=125.0))) == []  # the longest task may take so long


def test_a_machine_that_is_off_is_started_whatever_it_is() -> None:
    for one in (*PAIRS, *ALONE, MORE[0]):
        assert done(Control().look(**{one.name.replace("-", "_"): OFF})) == [f"start {one.name}"]
    assert done(Control().look(app_a_2=ABSENT)) == ["start app-a-2"]
    new = Control().look(app_a_1=ABSENT)
    assert (done(new), new.notes) == ([], ("app-a-1: it was never made; mend: playbooks/site.yml",))


def test_after_a_start_it_is_the_services_turn() -> None:
    control = Control()
    assert done(control.look(app_b_1=OFF)) == ["start app-b-1"]
    assert done(control.look(60, app_b_1=DOWN)) == ["services app-b-1"]


def test_only_those_that_should_run_are_healed() -> None:
    assert done(Control(online=frozenset()).look(app_a_2=OFF, worker_a_2=OFF)) == []


def test_what_keeps_data_is_only_told() -> None:
    found = Control().look(database_a_1=Sight(pools=pools("DOWN"), down=900))
    assert done(found) == []
    assert found.notes[0].startswith("alert: database-a-1: DOWN for 900 s")


def test_machines_of_your_own_are_restarted_by_a_person() -> None:
    control = Control(STATIC)
    assert done(control.look(app_b_1=DOWN)) == ["services app-b-1"]
    found = control.look(60, app_b_1=DOWN)
    assert done(found) == []
    assert "alert: app-b-1" in found.notes[0] and "restart its machine" in found.notes[0]


def test_machines_of_ec2_are_restarted() -> None:
    control = Control(replace(STACK, provider="ec2"))
    assert done(control.look(app_b_1=DOWN)) == ["services app-b-1"]
    assert done(control.look(60, app_b_1=DOWN)) == ["machine app-b-1"]


def test_three_heals_within_an_hour_and_then_an_alert() -> None:
    control = Control()
    healed = [len(done(control.look(60, app_b_1=DOWN))) for _minute in range(60)]
    assert sum(healed) == MOST
    alert = control.look(0, app_b_1=DOWN).notes[0]
    assert alert.startswith("alert: app-b-1:") and "although it was healed 3 times within an hour; not again before 13:01:00 UTC" in alert
    assert done(control.look(120, app_b_1=DOWN)) == ["machine app-b-1"]


def test_who_cannot_see_more_than_half_of_a_layer_heals_nobody_of_it() -> None:
    both = {"app_a_1": DOWN, "app_b_1": DOWN}
    two = Control(online=frozenset()).look(**both)
    assert done(two) == [] and two.notes[0].startswith("alert: app: 2 of 2 look dead or cannot be seen (app-a-1: DOWN")
    assert done(Control().look(**both)) == ["services app-a-1", "services app-b-1"]  # two of four
    three = Control().look(**both, app_a_2=Sight(pools={}))
    assert done(three) == []
    other = Control(online=frozenset()).look(**both, memcached_a_1=OFF)
    assert done(other) == ["start memcached-a-1"]  # the other layers can be seen


def test_who_can_see_nothing_heals_nothing() -> None:
    blind = {one.name.replace("-", "_"): OFF for one in STACK.instances}
    found = Control().look(**blind)
    assert done(found) == [] and len(found.notes) == 1
    assert found.notes[0].startswith("alert: 16 of 16 instances look dead or cannot be seen")
    # Without any balancer and without the app, more than half of two layers is unseen; the machines of the others are known.
    dark = {one.name.replace("-", "_"): Sight() for one in STACK.instances if one.layer in ("app", "worker", "database")}
    assert done(Control().look(**{**dark, "app_a_1": OFF})) == []


def test_whom_a_person_works_on_is_left_alone_and_does_not_count_as_lost() -> None:
    held = {"app-a-1": "in maintenance until 12:10:00 UTC"}
    control = Control(online=frozenset())
    found = control.look(held=held, app_a_1=OFF)
    assert (done(found), found.notes) == ([], ("app-a-1: its machine is off; left alone, in maintenance until 12:10:00 UTC",))
    assert done(control.look(60, held, app_a_1=OFF, app_b_1=DOWN)) == ["services app-b-1"]
    assert done(control.look(540, app_a_1=OFF)) == ["start app-a-1"]


def test_a_clock_that_was_set_back_neither_forgets_heals_nor_forbids_them_for_ever() -> None:
    control = Control()
    for _minute in range(5):
        control.look(60, app_b_1=DOWN)
    assert done(control.look(-7200, app_b_1=DOWN)) == []
    assert len(control.memory["app-b-1"].heals) == MOST
    assert done(control.look(HOUR, app_b_1=DOWN)) == ["machine app-b-1"]


SIGHTS = st.sampled_from([DOWN, OFF, ABSENT, Sight(pools=pools("UP"), heartbeat=1.0), SILENT, Sight(), Sight(pools=pools("DOWN"), down=1)])
NAMES = [one.name for one in STACK.instances]
LOOKS = st.lists(st.tuples(st.floats(1, 900), st.dictionaries(st.sampled_from(NAMES), SIGHTS, max_size=16)), min_size=1, max_size=60)


@given(LOOKS, st.sets(st.sampled_from(NAMES), max_size=3))
@budget(max_examples=150, deadline=None)
def test_whatever_is_seen_the_promises_hold(looks: list[tuple[float, dict[str, Sight]]], held: set[str]) -> None:
    control = Control()
    healed: dict[str, list[float]] = {}
    for passed, sights in looks:
        found = control.look(passed, dict.fromkeys(held, "held"), **{name.replace("-", "_"): sight for name, sight in sights.items()})
        at = control.now.timestamp()
        for action in done(found):
            what, name = action.split()
            layer = name.split("-")[0]
            assert name not in held
            assert STACK.instances[NAMES.index(name)].type == "always" or name in ONLINE
            assert what == "start" or layer in ("app", "worker")
            assert what != "start" or sights[name].machine != "on"
            healed.setdefault(name, []).append(at)
            assert sum(at - moment < HOUR for moment in healed[name]) <= MOST, name
            # More than half of its layer is seen to be well, or a person works there.
            members = [one for one in STACK.layer(layer) if one.type == "always" or one.name in ONLINE]
            sick = [one for one in members if one.name not in held and one.name in sights and not _fine(one, sights[one.name])]
            assert len(members) == 1 or 2 * len(sick) <= len(members), (layer, sick)


def _fine(one: Instance, sight: Sight) -> bool:
    """An independent word on who is seen to be well."""
    if sight.machine != "on":
        return False
    if one.layer in ("app", "database"):
        return bool(sight.pools) and "UP" in sight.pools.values()
    return one.layer != "worker" or (sight.heartbeat is not None and sight.heartbeat < 100)


@given(st.lists(st.floats(5, 600), min_size=20, max_size=200))
@budget(max_examples=100, deadline=None)
def test_a_host_that_stays_ill_is_healed_three_times_in_any_hour(gaps: list[float]) -> None:
    control = Control()
    healed = []
    for gap in gaps:
        if done(control.look(gap, app_b_1=DOWN)):
            healed.append(control.now.timestamp())
    assert all(sum(0 <= later - first < HOUR for later in healed) <= MOST for first in healed)
    assert healed


def test_what_cannot_be_read_of_the_memory_is_forgotten() -> None:
    assert remember({"app-a-1": 7, "app-b-1": {"since": "x"}, "app-a-2": {"since": 1, "last": "start", "heals": [2]}}) == {
        "app-a-2": Case(1.0, "start", (2.0,))
    }


def test_maintenance_holds_for_a_time_and_is_written_down(tmp_path: Path) -> None:
    layers = {"app-a-1": "app", "app-b-1": "app"}
    changed, held = maintenance.change(tmp_path, NOON, ["app-a-1"], 30, [], layers)
    assert (changed, held) == (True, {"app-a-1": "2027-03-12T12:30:00+00:00"})
    assert maintenance.held(tmp_path) == {"app-a-1": (NOON + timedelta(minutes=30)).timestamp()}
    assert maintenance.change(tmp_path, NOON, ["app-b-1"], 10, [], layers, check=True)[0]
    assert list(maintenance.held(tmp_path)) == ["app-a-1"]
    maintenance.change(tmp_path, NOON + timedelta(minutes=1), ["app-b-1"], 10, ["app-a-1"], layers)
    assert list(maintenance.held(tmp_path)) == ["app-b-1"]
    assert maintenance.change(tmp_path, NOON + timedelta(hours=2), [], 10, [], layers) == (False, {})  # it is over by itself
    lines = [json.loads(line) for line in (tmp_path / statefiles.EVENTS).read_text().splitlines()]
    assert [(line["verb"], line["instance"], line["before"]) for line in lines] == [
        ("hold", "app-a-1", "free"), ("hold", "app-b-1", "free"), ("release", "app-a-1", "held")]  # fmt: skip
    (tmp_path / statefiles.MAINTENANCE).write_text('{"app-a-1": "soon"}')
    with pytest.raises(statefiles.StateError, match="app-a-1: found 'soon', expected an instant"):
        maintenance.held(tmp_path)
