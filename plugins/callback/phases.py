# Copyright (c) Trust Stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One line for each task, one heading for each play, and at the end what was done and how long each phase took."""

from __future__ import annotations

DOCUMENTATION = r"""
name: phases
type: stdout
short_description: One line for each task and the time of each phase
description:
  - Shows a long run as a founder wants to see it, one line for each task with its seconds and how many hosts it changed.
  - What went wrong is shown in full, as the default callback shows it. With C(-v) everything is.
  - The first word of a play's name before a colon is its phase; the times of the phases are printed at the end.
author: Trust Stack (@trust-stack)
version_added: "0.1.0"
extends_documentation_fragment: [default_callback, result_format_callback]
"""

import time
from collections import Counter
from typing import Any

from ansible.plugins.callback.default import CallbackModule as Default


class CallbackModule(Default):
    """Standard output of ansible-playbook, one line a task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "trust.stack.phases"

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()
        self._phases: dict[str, float] = {}
        self._phase = ""
        self._phase_began = self._began
        self._task = ""
        self._task_began = self._began
        self._counts: Counter[str] = Counter()
        self._changed: Counter[str] = Counter()

    def _end_task(self) -> None:
        if self._task and (self._counts["changed"] or self._counts["failed"] or self._counts["ok"]):
            notes = [f"{n} {word}" for word in ("changed", "failed") if (n := self._counts[word])]
            colour = "bright red" if self._counts["failed"] else "yellow" if self._counts["changed"] else None
            seconds = time.monotonic() - self._task_began
            if notes or seconds >= 2:   # what changed nothing and took no time is not worth a line
                self._display.display(f"  {seconds:6.1f} s  {self._task:<84} {', '.join(notes)}".rstrip(), color=colour)
        self._task, self._counts = "", Counter()

    def _end_phase(self) -> None:
        self._end_task()
        if self._phase:
            self._phases[self._phase] = self._phases.get(self._phase, 0) + time.monotonic() - self._phase_began
        self._phase_began = time.monotonic()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        if self._display.verbosity:
            super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._end_phase()
        name = play.get_name().strip()
        phase = name.split(":")[0]
        if phase != self._phase:
            self._display.display(f"\n{phase}", color="bright blue")
        self._phase = phase

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._end_task()
        self._task_began = time.monotonic()
        self._task = task.get_name().strip().replace("trust.stack.", "").replace(" : ", ": ")
        if self._display.verbosity:
            super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        if self._display.verbosity:
            super().v2_playbook_on_no_hosts_matched()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if self._display.verbosity:
            super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result: Any) -> None:
        word = "changed" if result.result.get("changed") else "ok"
        self._counts[word] += 1
        self._changed[result.host.get_name()] += word == "changed"
        if result.task.action in ("debug", "ansible.builtin.debug") and "msg" in result.result:
            lines = result.result["msg"]
            self._display.display("")
            for line in [lines] if isinstance(lines, str) else lines:
                self._display.display(f"  {line}")
        elif self._display.verbosity or (result.result.get("diff") and self._counts["changed"]):
            super().v2_runner_on_ok(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        if self._display.verbosity:
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        if self._display.verbosity:
            super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        if self._display.verbosity:
            super().v2_runner_item_on_skipped(result)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        if self._display.verbosity:
            super().v2_playbook_on_include(included_file)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._counts["failed"] += 1
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._counts["failed"] += 1
        super().v2_runner_on_unreachable(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._end_phase()
        total = time.monotonic() - self._began
        hosts = sorted(stats.processed)
        summary = {host: stats.summarize(host) for host in hosts}
        bad = [h for h in hosts if summary[h]["failures"] or summary[h]["unreachable"]]
        changed = sum(s["changed"] for s in summary.values())
        times = ", ".join(f"{name.lower()} {seconds:.0f} s" for name, seconds in self._phases.items() if seconds >= 0.5)
        self._display.display(f"\n{len(hosts)} hosts, changed={changed}, {total:.0f} s ({times})",
                              color="bright red" if bad else "green")
        if bad:
            self._display.display(f"failed on: {', '.join(bad)}", color="bright red")
        if self._display.verbosity:
            super().v2_playbook_on_stats(stats)
