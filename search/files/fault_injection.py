"""Named moments at which a test can break this process; without its word they do nothing.

`LATENT_SEARCH_FAULT=MOMENT:N:DEED:FILE` breaks a process when it reaches the moment for the N-th
time. Deeds: `kill` (this process, at once), `group` (with every process of its group), `full` (the
disk is). FILE is made by the first that breaks; whoever finds it there goes on. The moments are
those at which one store knows more than another.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from pathlib import Path

VARIABLE = "LATENT_SEARCH_FAULT"
MOMENTS = {
    "creating": "a database is made, but not yet in its place",
    "creating study": "Optuna has the study, but not yet what it is of",
    "proposed": "Optuna has proposed a trial, Ray has not heard of it",
    "reported": "Optuna knows an epoch, MLflow does not",
    "checkpoint": "a checkpoint is written, but not yet in its place",
    "weights": "a trial has ended, its weights are not yet in their place",
    "ended": "Optuna knows that a trial ended, nobody else does",
    "closing": "a run has all its records and is still open",
}
_reached: Counter[str] = Counter()


def reach(moment: str) -> None:
    """This process is at `moment`.

    Raises:
        OSError: the disk is full, if that is what the environment asks for.
    """
    asked = os.environ.get(VARIABLE)
    if not asked:
        return
    wanted, number, deed, file = asked.split(":", 3)
    _reached[moment] += 1
    if moment != wanted or _reached[moment] != int(number):
        return
    try:
        Path(file).touch(exist_ok=False)
    except FileExistsError:
        return
    if deed == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if deed == "group":
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
