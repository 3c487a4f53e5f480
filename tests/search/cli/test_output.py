"""Standard output that nobody reads, that is full or closed changes neither work nor status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import commands

PROGRAM = """
import argparse, sys
from pathlib import Path
from search.cli import arguments, output
from search.cli.exiting import exit_fast
def work(options):
    print("before")
    with output.output_to(Path(sys.argv[1]) / "search.log") as screen:
        for _ in range(20000):
            print("a line of the search", file=screen)
        print("a library's line")
    print("after")
    (Path(sys.argv[1]) / "done").touch()
    return 0
exit_fast(arguments.run(argparse.Namespace(debug=False), work))
"""


@pytest.mark.parametrize("where", ["| head -1", "> /dev/full", ">&-", ">&- 2>&- <&-"])
def test_the_work_goes_on(where: str, tmp_path: Path) -> None:
    command = f'"$0" -c "$1" "$2" {where}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, PROGRAM, str(tmp_path)],
        **{"capture_output": True, "text": True, "cwd": commands.ROOT, "timeout": 60},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "done").exists()
    assert (tmp_path / "search.log").read_text() == "a library's line\n"


LIBRARY = """
import logging, sys
from pathlib import Path
from search.cli import output
from search.cli.output import keep_standard_streams
address = "http://me:secret@127.0.0.1:5000"
keep_standard_streams()
with output.output_to(Path(sys.argv[1]) / "search.log") as screen:
    print("view the run at", address)
    logging.getLogger("urllib3").warning("no answer from %s", address)
    try:
        raise OSError(address)
    except OSError:
        logging.getLogger("mlflow").exception("refused")
    print("\\u00b1", address, file=screen)
"""


def test_what_libraries_say_shows_no_password_in_any_locale(tmp_path: Path) -> None:
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = commands.cold(LIBRARY, str(tmp_path), environment=locale)
    assert done.out == "± http://***@127.0.0.1:5000\n"
    log = (tmp_path / "search.log").read_text()
    assert log.count("http://***@127.0.0.1:5000") == 3 and "Traceback" in log
    assert "secret" not in log + done.err
