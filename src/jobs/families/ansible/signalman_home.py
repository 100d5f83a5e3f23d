"""Lets local connections use the task's HOME."""

from __future__ import annotations

import os

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: signalman_home
    type: aggregate
    short_description: lets local connections use the task's HOME
    description:
      - Modules expand C(~) to C($HOME), but Ansible itself expands it to the home of the password database, where it keeps its
        temporary files and looks for the jobs of C(async). These differ here, since every task has its own C(HOME), and the user
        of a service may have no other. On a local connection without C(become), this plugin makes Ansible use C($HOME) too.
"""

_usual = ActionBase._remote_expand_user


def _expand_user(self, path, *args, **kwargs):
    is_own = path == "~" or path.startswith("~/")
    if is_own and self._connection.transport == "local" and not self._connection.become:
        return os.path.expanduser(path)
    return _usual(self, path, *args, **kwargs)


# All actions inherit this method.
ActionBase._remote_expand_user = _expand_user


class CallbackModule(CallbackBase):
    """Reports nothing: it is a callback plugin because Ansible loads those first, so that the patch is in time."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "signalman_home"
