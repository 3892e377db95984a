"""The code of a model in MLflow's format: a copy of this file stands in it, and loads it.

It needs reprise, and no pickle. `mlflow models serve --env-manager local` serves it as well.
"""

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

from reprise.errors import UserError
from reprise.runs.answer import Answers
from reprise.runs.load import read_record


class Refused(MlflowException):
    """A mistake in a request: status 400, and the parts of a `UserError`."""

    def __init__(self, mistake: UserError) -> None:
        super().__init__(str(mistake), error_code=INVALID_PARAMETER_VALUE)
        self._parts = mistake.args

    def serialize_as_json(self) -> str:
        """The body of the answer; what MLflow has put before the message is left out."""
        parts = dict(zip(("message", "expected", "received", "to_do"), self._parts, strict=True))
        return json.dumps({"error_code": self.error_code, **parts})


class Served(PythonModel):
    """A run's model, from the folder `run` among the artifacts."""

    def load_context(self, context: Any) -> None:
        """Read the run; its model is loaded with the first request."""
        folder = Path(context.artifacts["run"])
        self._answers = Answers(read_record(folder, folder.parent))

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> list[Any]:
        """Answer a table, as `Answers` does."""
        try:
            return self._answers(model_input)
        except UserError as mistake:
            raise Refused(mistake) from None
        except Exception:
            logging.getLogger("reprise").exception("a request could not be answered")
            raise MlflowException(
                "the model failed; the server's log has the reason", error_code=INTERNAL_ERROR
            ) from None


set_model(Served())
