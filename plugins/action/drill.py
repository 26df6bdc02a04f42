# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A drill, from the control node: buyers buy, something fails, and what that did to them. Its host is the one that fails, or this one for a service of AWS."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.trust.stack.plugins.module_utils import drilling, faults, healing, observe_health, statefiles
from ansible_collections.trust.stack.plugins.module_utils.aws_calls import AwsError
from ansible_collections.trust.stack.plugins.module_utils.buyer import CHECK_RELEASES, CHECK_SLUG, CHECK_TITLE, BuyerError, Shop
from ansible_collections.trust.stack.plugins.module_utils.drill_watch import Watch, audit
from ansible_collections.trust.stack.plugins.module_utils.observe import UnseenError
from ansible_collections.trust.stack.plugins.module_utils.podman import PodmanError
from ansible_collections.trust.stack.plugins.module_utils.stackfile import Stack
from ansible_collections.trust.stack.plugins.module_utils.stackfile_nodes import StackFileError
from ansible_collections.trust.stack.plugins.plugin_utils.deciding import LOOKS_AT, stack_of

ARGUMENTS = LOOKS_AT | {
    "status_url": {"type": "str", "default": ""},
    "target": {"type": "str", "required": True},
    "how": {"type": "str", "choices": list(faults.WAITS), "required": True},
    "shop_url": {"type": "str", "required": True},
    "inbox_url": {"type": "str", "default": ""},
    "organiser_email": {"type": "str", "required": True},
    "organiser_password": {"type": "str", "required": True, "no_log": True},
    "rate": {"type": "float", "default": 3},
    "before": {"type": "float", "default": 5},
    "least": {"type": "float", "default": 20},
    "quiet": {"type": "float", "default": 8},
    "limit": {"type": "float", "default": 180},
}
LOOK = 0.5  # seconds between two looks at balancers and machines
FIRST = 30.0  # seconds in which the first must have bought a ticket before anything fails
ERRORS = (StackFileError, UnseenError, BuyerError, AwsError, PodmanError, statefiles.StateError, OSError)


class DrillError(Exception):
    """The drill could not be held; the text says what was done and undone."""


class ActionModule(ActionBase):
    _supports_check_mode = True
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _spec, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        if self._task.check_mode:
            said = f"{given['target']}: {faults.WAITS[given['how']]}, while {given['rate']:g} customers a second come to buy"
            return result | {"changed": True, "said": [said]}
        try:
            return result | {"changed": True} | self.drill(given)
        except (DrillError, *ERRORS) as exc:
            return result | {"failed": True, "msg": f"drill of {given['target']} ({given['how']}): {exc}"}

    def drill(self, given: dict[str, Any]) -> dict[str, Any]:
        stack = stack_of(given)
        drill = drilling.Drill(given["target"], given["how"], given["least"], given["quiet"], given["limit"])
        shop = Shop(given["shop_url"], FIRST)
        shop.sign_in(given["organiser_email"], given["organiser_password"])
        slug = shop.ensure_event(CHECK_TITLE, CHECK_RELEASES, CHECK_SLUG)
        afterwards: Callable[[], None] = lambda: None  # noqa: E731 (it becomes what waits for the machine to be off)
        with Watch(drill, given["shop_url"], slug, given["rate"]) as watch:
            self.baseline(watch, given["before"])
            look = Look(stack, given, watch)
            watch.fault()
            began = datetime.now(UTC)
            try:
                say(watch, f"{given['target']}: {faults.WAITS[given['how']]}")
                afterwards = self.strike(stack, given)
                drill.over = follow(watch, look)
            finally:
                if given["how"] == "freeze":
                    self.command(faults.signal(layer_of(stack, given["target"]), "thaw"))
            if given["how"] == "freeze" and drill.over is not None:
                drill.over = follow(watch, look, say(watch, f"{given['target']}: its services go on"))
            until = watch.now()
        afterwards()
        say(watch, "looking into the ledger")
        figures = drilling.summary(drill, audit(given["shop_url"], given["inbox_url"], drill.orders, CHECK_TITLE, given["limit"]), until)
        self.keep(Path(given["state_dir"]), began, figures, drill)
        return {"report": drilling.text(drill, figures), "figures": figures, "began": began.timestamp()}

    def baseline(self, watch: Watch, seconds: float) -> None:
        """All is well before: otherwise the drill would show somebody else's failure."""
        say(watch, f"{watch.rate:g} customers a second come to buy, before anything fails")
        while watch.now() < seconds or (not watch.drill.orders and watch.now() < FIRST):
            time.sleep(0.1)
        problems = [one.problem for one in (*watch.drill.orders, *watch.drill.pages) if one.problem]
        if not watch.drill.orders or problems:
            raise DrillError(f"nothing was done, for buyers could not buy before it: {(problems or [f'no order in {FIRST:.0f} s'])[0]}")

    def strike(self, stack: Stack, given: dict[str, Any]) -> Callable[[], None]:
        if given["how"] == "power":
            return faults.cut_power(stack, given["target"], given["containers_conf"])
        if given["how"] == "failover":
            faults.fail_over(stack, given["target"])
        else:
            self.command(faults.signal(layer_of(stack, given["target"]), given["how"]))
        return lambda: None

    def command(self, words: str) -> None:
        done = self._low_level_execute_command(words, sudoable=True)
        if done["rc"]:
            raise DrillError(f"`{words}` exited {done['rc']}: {done['stderr'].strip() or done['stdout'].strip()}")

    @staticmethod
    def keep(folder: Path, began: datetime, figures: dict[str, Any], drill: drilling.Drill) -> None:
        at = began.isoformat(timespec="seconds")
        timeline = [[round(when, 1), what] for when, what in drill.timeline]
        statefiles.append(folder / statefiles.DRILLS, [{"time": at} | figures | {"timeline": timeline}])
        line = {"time": at, "actor": "drill.yml", "verb": f"drill: {figures['how']}", "instance": figures["drill"], "cause": "by hand"}
        statefiles.append(folder / statefiles.EVENTS, [line | {"before": "well", "after": figures["verdict"], "seconds": figures["seconds_without_orders"]}])


class Look:
    """What balancers and the provider say, said when it changes."""

    def __init__(self, stack: Stack, given: dict[str, Any], watch: Watch) -> None:
        self.stack, self.given, self.watch = stack, given, watch
        self.seen = self.states()

    def states(self) -> dict[str, str]:
        try:
            sights, _notes = observe_health.look(self.stack, self.given)
        except ERRORS:
            return {}
        known = {one.name: one for one in self.stack.instances}
        found = {name: healing.judge(known[name], sight).state for name, sight in sights.items()}
        for name, sight in sights.items():
            found |= {f"{name} in {balancer}": state for balancer, state in sight.pools.items()}
        return found

    def again(self) -> None:
        for what, state in (now := self.states()).items():
            # who cannot be seen for a moment has not changed
            if self.seen.get(what, state) != state and state != healing.UNSEEN:
                say(self.watch, f"{what}: {state}")
        self.seen |= {what: state for what, state in now.items() if state != healing.UNSEEN}


def layer_of(stack: Stack, name: str) -> str:
    return next(one.layer for one in stack.instances if one.name == name)


def follow(watch: Watch, look: Look, since: float = 0.0) -> float | None:
    """Until buyers buy again as before: when. None when that did not come within the limit."""
    while not drilling.settled(watch.drill, watch.now(), since, watch.waits_since()):
        if watch.now() - since > watch.drill.limit:
            say(watch, f"buyers cannot buy again; given up after {watch.drill.limit:.0f} s")
            return None
        look.again()
        time.sleep(LOOK)
    return say(watch, "buyers buy as before")


def say(watch: Watch, what: str) -> float:
    at = watch.happened(what)
    Display().display(f"  {at:6.1f} s  {what}")
    return at
