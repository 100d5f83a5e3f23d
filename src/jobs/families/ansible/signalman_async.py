"""Lets tasks with `async` on a local connection find their jobs."""

from __future__ import annotations

import os

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader

DOCUMENTATION = """
    name: signalman_async
    type: aggregate
    short_description: lets async tasks on a local connection find their jobs
    description:
      - Ansible starts a job with C(async) below C($HOME), but looks for its result below the home of the password database.
        These differ here, since every task has its own C(HOME). On a local connection without C(become), this plugin makes
        Ansible look below C($HOME) too.
"""

def _patch(action):
    usual = action._get_async_dir

    def async_dir(self):
        if self._connection.transport == "local" and not self._connection.become:
            return os.path.expanduser(self.get_shell_option("async_dir", default="~/.ansible_async"))
        return usual(self)

    action._get_async_dir = async_dir


# Loaded by Ansible's plugin loader, which caches the class for every name that a playbook may use for it.
_patch(action_loader.get("ansible.builtin.async_status", class_only=True))


class CallbackModule(CallbackBase):
    """Reports nothing: it is a callback plugin because Ansible loads those first, so that the patch is in time."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "signalman_async"
