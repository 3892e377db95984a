from loading.loader_samples import Awkward

from reprise.errors import UserError
from reprise.loading.workers.failure import pack, unpack


def test_exception_comes_back_as_itself_with_its_notes() -> None:
    error = ValueError("not a picture")
    error.add_note("while reading sample a.png")
    back = unpack(pack(error))
    assert (type(back), back.args) == (ValueError, ("not a picture",))
    assert back.__notes__[0] == "while reading sample a.png"
    assert back.__notes__[1].startswith("in a worker process:\n")


def test_users_error_comes_back_whole() -> None:
    error = UserError("what", "expected", "received", "remedy")
    assert str(unpack(pack(error))) == str(error)


def test_exception_that_cannot_be_pickled_is_told() -> None:
    back = unpack(pack(Awkward("this", "that")))
    assert type(back) is RuntimeError
    assert "Awkward: this and that" in str(back)
    local = type("Local", (Exception,), {})
    assert "Local: here" in str(unpack(pack(local("here"))))


def test_exit_in_a_worker_is_an_error_here() -> None:
    back = unpack(pack(SystemExit(0)))
    assert type(back) is RuntimeError
    assert "SystemExit: 0" in str(back)
