"""Put the sample data in place: `reprise data [STAGE …] [accept=true]`."""

from reprise.cli.main import options
from reprise.errors import UserError
from reprise.runs.sample_data import show


def main(argv: list[str]) -> None:
    """Make the data of the named stages, or of all, and print what is in place."""
    accept = options([word for word in argv if "=" in word], accept="false")["accept"]
    if accept not in ("true", "false"):
        raise UserError("accept is wrong", "accept=true or accept=false", accept, "choose one")
    show([word for word in argv if "=" not in word], accept=accept == "true")
