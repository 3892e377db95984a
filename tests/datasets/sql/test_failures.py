import pytest

from reprise.datasets.sql.failures import no_driver


@pytest.mark.parametrize(
    ("module", "remedy"),
    [
        ("MySQLdb", "make setup"),
        ("psycopg", ".venv/bin/pip install 'psycopg[binary]'"),
        ("oracledb", ".venv/bin/pip install oracledb"),
    ],
)
def test_a_missing_driver_says_what_to_type(module, remedy):
    said = str(no_driver("some://me@host/db", ModuleNotFoundError(name=module)))
    assert module in said
    assert "some://me@host/db" in said
    assert f"to do     {remedy}" in said
