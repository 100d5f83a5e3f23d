"""Writes a playbook's results as JSON into `result.json` beside this file."""

from __future__ import annotations

import json
import math
import os
import sys

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: signalman_result
    type: aggregate
    short_description: reports a playbook's results to Signalman
    description:
      - Writes the recap of every host and the failing tasks as JSON, once the playbook has ended.
      - Ends a playbook that asks for a variable without a default, which Ansible would set to the text C(None).
"""

# Ansible's exit code for a playbook that was interrupted; hook.ts explains it to users.
PROMPT_UNANSWERED = 99
MAX_FAILURES = 1000
MAX_MESSAGE = 16384


def _plain(value):
    """Returns a value that JSON can hold; other values become text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "signalman_result"

    def __init__(self):
        super().__init__()
        self._play = ""
        self._failures = []

    def v2_playbook_on_play_start(self, play):
        self._play = play.get_name()

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._add(result, ignored=ignore_errors)

    def v2_runner_on_unreachable(self, result):
        self._add(result, unreachable=True)

    def v2_playbook_on_vars_prompt(self, varname, private, prompt, encrypt, confirm, salt_size, salt, default, unsafe):
        if default is None:
            self._display.error(f"the playbook prompts for {varname}, but tasks are non-interactive; set it in the task")
            sys.exit(PROMPT_UNANSWERED)

    def v2_playbook_on_stats(self, stats):
        hosts = [self._recap(host, stats.summarize(host)) for host in sorted(stats.processed)]
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "result.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            try:
                outputs = _plain(stats.custom.get("_run") or {})
            except RecursionError:
                outputs = {}
            json.dump({"hosts": hosts, "failures": self._failures, "outputs": outputs}, file)
        os.rename(path + ".new", path)

    @staticmethod
    def _recap(host, summary):
        summary = dict(summary)
        summary["failed"] = summary.pop("failures")
        return {"host": host, **summary}

    def _add(self, result, unreachable=False, ignored=False):
        if len(self._failures) >= MAX_FAILURES:
            return
        task = getattr(result, "task", None) or result._task
        host = getattr(result, "host", None) or result._host
        self._failures.append(
            {
                "host": host.get_name(),
                "play": self._play,
                "task": task.get_name(),
                "action": str(task.action),
                "message": self._message(result._result)[:MAX_MESSAGE],
                "unreachable": unreachable,
                "ignored": bool(ignored),
            }
        )

    def _message(self, result):
        """Returns a module's message and, for a loop, the messages of its failed items."""
        items = [item for item in result.get("results") or [] if isinstance(item, dict) and item.get("failed")]
        said = [str(result.get("msg") or "")]
        said += [self._message(item) for item in items] or [str(result.get("stderr") or result.get("module_stderr") or "")]
        return "\n".join(line for text in said for line in text.strip().splitlines())
