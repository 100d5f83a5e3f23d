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
      - A job with C(async) is started below C($HOME). Ansible looks for it below the home of the password file, which is
        another one here, since every task has its own C(HOME). On a local connection without C(become) both are now C($HOME).
"""

def _patch(action):
    usual = action._get_async_dir

    def async_dir(self):
        if self._connection.transport == "local" and not self._connection.become:
            return os.path.expanduser(self.get_shell_option("async_dir", default="~/.ansible_async"))
        return usual(self)

    action._get_async_dir = async_dir


# By the loader, which keeps what it has loaded, whatever name a playbook uses.
_patch(action_loader.get("ansible.builtin.async_status", class_only=True))


class CallbackModule(CallbackBase):
    """Ansible loads callback plugins before everything else; this one has nothing to report."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "signalman_async"
