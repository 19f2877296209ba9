"""`python -m sockproxy`: the same as the command."""

from sockproxy.cli import main

main(prog_name="sockproxy")
