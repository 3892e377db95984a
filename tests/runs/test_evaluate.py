import pytest

from reprise.errors import UserError
from reprise.runs.load import load_best


def test_a_run_without_a_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match=r"(?s)best\.keras is missing.*has not finished an epoch"):
        load_best(tmp_path)
