"""`python -m reprise VERB key=value …`."""

from reprise.cli.main import main

main()
