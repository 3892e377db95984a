import pytest

from reprise.config.secrets import redact


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mysql://me:hidden@host/db", "mysql://me:***@host/db"),
        ("mysql+mysqldb://me:hid@d/en@host:3306/db", "mysql+mysqldb://me:***@host:3306/db"),
        ("redis://:hidden@host", "redis://:***@host"),
        ("see 'http://me:1234@host:5000' or ftp://a:b@c", "see 'http://me:***@host:5000' or ftp://a:***@c"),
        ("https://ghp_hidden@github.com/me/it", "https://***@github.com/me/it"),
        ("mysql://host/db?user=me&password=hidden&x=1", "mysql://host/db?user=me&password=***&x=1"),
        ("dataset.db_password=hidden seed=3", "dataset.db_password=*** seed=3"),
    ],
)  # fmt: skip
def test_passwords_are_masked(text, masked):
    assert redact(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "http://localhost:5000/#/runs@x",
        "http://127.0.0.1:5000",
        "sqlite:///mlflow.db",
        "git@github.com:me/it.git",
        "connect(user=me, password=word)",
        "model.pad_token=<pad>",
        "see you at 5:30 @ home",
    ],
)
def test_what_holds_no_password_stays(text):
    assert redact(text) == text


def test_nested_values_are_masked_and_not_changed():
    values = {
        "dataset": {"url": "mysql://me:hidden@host/db", "password": "hidden", "passwords": "no"},
        "list": ["a://b:hidden@d", 3, None],
        "secret": None,
        "pad_token": "<pad>",
    }
    masked = redact(values)
    assert masked == {
        "dataset": {"url": "mysql://me:***@host/db", "password": "***", "passwords": "no"},
        "list": ["a://b:***@d", 3, None],
        "secret": None,
        "pad_token": "<pad>",
    }
    assert values["dataset"]["password"] == "hidden"
