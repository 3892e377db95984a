"""Serve: MLflow's scoring server over a run's model, with limits, and errors that can be read."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from reprise.errors import UserError
from reprise.files import link_or_copy, replacing
from reprise.runs.answer import columns_of, example, kind_of
from reprise.runs.calibration import CALIBRATION
from reprise.runs.folder import CHECKPOINTS, CONFIG, IDENTITY, SPECS, SPLITS
from reprise.runs.load import SavedRun, require_best
from reprise.training.state import BEST

AT_ONCE = 16  # requests whose bodies are in memory; further ones wait before they are read
BODY_TIMEOUT_S = 30.0  # for a whole body to come in
DRAINED = 8  # times the largest body that is read of one that is larger, and thrown away


def write_pyfunc(saved: SavedRun, folder: Path) -> Path:
    """Write a run's model in MLflow's format, as code and files, with signature and example.

    Args:
        saved: The run.
        folder: Made anew.
    """
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    require_best(saved.folder)
    kind = kind_of(saved)
    types: Any = "double" if kind == "row" else AnyType()
    inputs = Schema([ColSpec(types, name) for name in columns_of(saved)])
    signature = ModelSignature(inputs=inputs, outputs=Schema([ColSpec(AnyType(), "answer")]))
    with tempfile.TemporaryDirectory() as place, replacing(folder) as partial:
        own = Path(place, saved.folder.name)
        (own / CHECKPOINTS).mkdir(parents=True)
        for name in (CONFIG, IDENTITY, SPECS, CALIBRATION):
            if (saved.folder / name).exists():
                shutil.copy(saved.folder / name, own / name)
        (own / SPLITS).write_text("{}")  # names of samples are none of a server's business
        link_or_copy(saved.folder / CHECKPOINTS / BEST, own / CHECKPOINTS / BEST)
        mlflow.pyfunc.save_model(
            partial,
            python_model=str(Path(__file__).with_name("pyfunc.py")),
            artifacts={"run": str(own)},
            signature=signature,
            input_example=example(saved),
            pip_requirements=["reprise"],
        )
        (copy,) = partial.rglob(BEST)
        link_or_copy(saved.folder / CHECKPOINTS / BEST, copy)
    return folder


def serve(model: str, host: str, port: int, max_mb: float, say: Callable[[str], None]) -> None:
    """Serve a model until the process is stopped.

    Args:
        model: Its folder, or address in MLflow.
        host: Address to listen at.
        port: Port, 0 for any that is free.
        max_mb: Largest body of a request, in megabytes.
        say: Called with the address when requests are taken.

    Raises:
        UserError: the port is taken.
    """
    import mlflow.pyfunc
    import uvicorn
    from mlflow.pyfunc import scoring_server

    listening = _bound(host, port)
    loaded = mlflow.pyfunc.load_model(model)
    first = loaded.input_example if hasattr(loaded, "input_example") else None
    if first is not None:
        loaded.predict(first)  # so that the first request does not wait for the model
    columns = loaded.metadata.get_input_schema().input_names()
    app = Guard(scoring_server.init(loaded), int(max_mb * 1e6), columns)
    listening.listen(2048)  # from here on who comes is not refused
    say(f"http://{host}:{listening.getsockname()[1]}/invocations")
    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=10)
    uvicorn.Server(config).run(sockets=[listening])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        raise UserError(
            f"the server cannot listen at {host}:{port}",
            "an address of this machine, and a port that is free",
            str(error),
            "choose another port=…, or end what has it",
        ) from None
    return listening


class Guard:
    """An ASGI application before MLflow's: limits of a request, and errors in three parts.

    Args:
        app: MLflow's.
        max_bytes: Of a body.
        columns: Of a request's table, for messages.
    """

    def __init__(self, app: Any, max_bytes: int, columns: list[str]) -> None:
        self._app, self._max = app, max_bytes
        self._places = asyncio.Semaphore(AT_ONCE)
        names = json.dumps(columns)
        self._expected = f'{{"dataframe_split": {{"columns": {names}, "data": [[…]]}}}} as JSON'

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        async with self._places:
            length = dict(scope["headers"]).get(b"content-length", b"0")
            declared = int(length) if length.isdigit() else 0
            parts: list[bytes] = []
            size, more = 0, True
            try:
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    # A client that is refused while it still sends sees no answer.
                    while more and size <= DRAINED * self._max:
                        message = await receive()
                        if message["type"] == "http.disconnect":
                            return
                        size += len(message.get("body", b""))
                        more = message.get("more_body", False)
                        if max(size, declared) <= self._max:
                            parts.append(message.get("body", b""))
                        else:
                            parts.clear()
            except TimeoutError:
                await self._refuse(send, 408, f"a part of it, in {BODY_TIMEOUT_S:g} s")
                return
            if max(size, declared) > self._max:
                received = f"{max(size, declared) / 1e6:.1f} MB"
                await self._refuse(send, 413, received, f"at most {self._max / 1e6:g} MB")
                return
            await self._answer(scope, b"".join(parts), send)

    async def _answer(self, scope: Any, body: bytes, send: Any) -> None:
        given = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Any:
            return next(given, {"type": "http.disconnect"})

        start: dict[str, Any] = {}
        made: list[bytes] = []

        async def keep(message: Any) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                made.append(message.get("body", b""))

        if not any(name == b"content-type" for name, _ in scope["headers"]):
            scope["headers"] = [*scope["headers"], (b"content-type", b"application/json")]
        try:
            await self._app(scope, receive, keep)
        except Exception:  # Starlette has logged it, and answered
            start.setdefault("status", 500)
        text = b"".join(made)
        if start["status"] < 400 or b'"to_do"' in text:
            await send(start)
            await send({"type": "http.response.body", "body": text})
            return
        received = text.decode(errors="replace")
        with suppress(ValueError, TypeError, KeyError):
            received = json.loads(text)["message"]
        reason = received.rpartition("Error: ")[2].partition(" IMPORTANT: ")[0]
        await self._refuse(send, start["status"], reason[:500])

    async def _refuse(self, send: Any, status: int, received: str, expected: str = "") -> None:
        mend = "correct the request; docs/use_a_model.md shows some"
        parts = {
            "message": "the request cannot be answered",
            "expected": expected or self._expected,
            "received": received.strip(),
            "to_do": mend if status < 500 else "look at the server's log, and send it again",
        }
        text = json.dumps(parts, ensure_ascii=False).encode()
        kind = (b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))
        await send({"type": "http.response.start", "status": status, "headers": kind})
        await send({"type": "http.response.body", "body": text})
