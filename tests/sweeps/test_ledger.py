"""What has become of jobs, written by several processes and read after any kill."""

import subprocess
import sys

from reprise.sweeps.ledger import LEDGER, Ledger, Standing


def test_a_job_stands_where_its_last_entry_says(ledger, add):
    one, two = add("fail", "done")
    (ledger.folder / "jobs/.partial-003.json").touch()  # another process is writing it
    assert ledger.jobs() == [one, two]
    assert ledger.standing(1) == Standing()
    ledger.begun(one, 77)
    assert ledger.standing(1).state == "begun"
    assert ledger.standing(1).group[0] == 77
    ledger.ended(one, "failed", "why", 2.0)
    ledger.begun(one, 78)
    ledger.ended(one, "failed", "still", 3.0)
    assert ledger.standing(1) == Standing("failed", 2, "still", 5.0, attempts=2)
    assert ledger.standing(2) == Standing()
    ledger.retry(one)
    assert ledger.standing(1) == Standing("waiting", 0, "", 5.0, attempts=2)


def test_a_line_torn_by_a_kill_is_passed_over(ledger, add):
    one, two = add("done", "done")
    ledger.ended(one, "done")
    with (ledger.folder / LEDGER).open("a") as file:
        file.write('{"job": 2, "state": "do')
    assert ledger.standing(2).state == "waiting"
    ledger.ended(two, "pruned")
    assert [Ledger(ledger.folder).standing(n).state for n in (1, 2)] == ["done", "pruned"]
    assert ledger.standing(2).state == "pruned"


def test_a_claim_lasts_as_long_as_any_process_that_has_the_log(ledger, add):
    add("done")
    log = ledger.claim(1)
    assert ledger.claim(1) is None
    program = [sys.executable, "-c", "input()"]
    heir = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=log)
    log.close()
    assert ledger.claim(1) is None  # as after a SIGKILL of the sweep
    heir.communicate(b"\n")
    again = ledger.claim(1)
    assert again is not None
    again.close()
