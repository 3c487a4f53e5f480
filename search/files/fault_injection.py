"""Named moments at which a test can break this process; unless a test asks, they do nothing.

`LATENT_SEARCH_FAULT=MOMENT:N:ACTION:FILE` breaks a process when it reaches the moment for the N-th
time. The actions: `kill` ends this process at once, `group` ends every process of its group, `full`
raises the error of a full disk. The first process that breaks creates FILE; a process that finds
FILE goes on. At each moment one store knows more than another.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from pathlib import Path

VARIABLE = "LATENT_SEARCH_FAULT"
MOMENTS = {
    "creating": "a database is written, but not yet in its place",
    "creating study": "Optuna has the study, but not yet its identity",
    "proposed": "Optuna has proposed a trial, Ray has not heard of it",
    "reported": "Optuna knows an epoch, MLflow does not",
    "checkpoint": "a checkpoint is written, but not yet in its place",
    "weights": "a trial has ended, its weights are not yet in their place",
    "ended": "Optuna knows that a trial ended, MLflow does not",
    "closing": "a run has all its records and is still open",
}
_reached: Counter[str] = Counter()


def reach(moment: str) -> None:
    """This process is at `moment`.

    Raises:
        OSError: the environment asks for a full disk.
    """
    asked = os.environ.get(VARIABLE)
    if not asked:
        return
    wanted, number, action, file = asked.split(":", 3)
    _reached[moment] += 1
    if moment != wanted or _reached[moment] != int(number):
        return
    try:
        Path(file).touch(exist_ok=False)
    except FileExistsError:
        return
    if action == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if action == "group":
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
