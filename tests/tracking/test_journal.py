import resource

from reprise.tracking.journal import JOURNAL, Journal, entries, metric_history, params_of, read


def refuse(error):
    raise error


def test_what_is_added_is_read_in_its_order(tmp_path):
    assert (list(entries(tmp_path, "start")), metric_history(tmp_path)) == ([], {})
    journal = Journal(tmp_path, refuse)
    journal.add("params", values={"seed": "0"})
    journal.add("metrics", step=1, values={"valid/loss": 0.1, "valid/iou": float("nan")})
    journal.add("metrics", step=2, values={"valid/loss": 1e-300})
    found = list(read(tmp_path))
    assert [entry["kind"] for entry, _ in found] == ["params", "metrics", "metrics"]
    assert found[-1][1] == (tmp_path / JOURNAL).stat().st_size
    assert metric_history(tmp_path)["valid/loss"] == {1: 0.1, 2: 1e-300}
    assert str(metric_history(tmp_path)["valid/iou"]) == "{1: nan}"
    assert params_of(tmp_path) == {"seed": "0"}
    assert [entry for entry, _ in read(tmp_path, found[0][1])] == [entry for entry, _ in found[1:]]


def test_a_full_disk_leaves_whole_lines_and_what_it_refused_comes_later(tmp_path):
    """The limit on a file's size stands for the disk: a write is cut short, and the next fails."""
    told = []
    journal = Journal(tmp_path, told.append)
    journal.add("tags", values={"a": "1"})
    size = (tmp_path / JOURNAL).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        journal.add("tags", values={"b": "2"})
        journal.add("tags", values={"c": "3"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(told) == 1
    assert [entry["values"] for entry, _ in read(tmp_path)] == [{"a": "1"}]
    journal.add("tags", values={"d": "4"})
    values = [entry["values"] for entry, _ in read(tmp_path)]
    assert values == [{"a": "1"}, {"b": "2"}, {"c": "3"}, {"d": "4"}]


def test_a_kill_at_any_byte_leaves_a_journal_that_goes_on(tmp_path):
    for at in range(3):
        Journal(tmp_path, refuse).add("metrics", step=at, values={"loss": float(at)})
    whole = (tmp_path / JOURNAL).read_bytes()
    for length in range(len(whole) + 1):
        folder = tmp_path / str(length)
        folder.mkdir()
        (folder / JOURNAL).write_bytes(whole[:length])
        lines = whole[:length].count(b"\n")
        assert len(list(read(folder))) == lines
        if length % 7 == 0:
            Journal(folder, refuse).add("metrics", step=9, values={"loss": 9.0})
            steps = [entry["step"] for entry, _ in read(folder)]
            assert steps == [*range(lines), 9]
