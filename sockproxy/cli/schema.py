"""`sockproxy schema`: the JSON Schema of policy files, for editors. `make docs` keeps it in the tree, too."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--tests",
    is_flag=True,
    envvar="SOCKPROXY_SCHEMA_TESTS",
    show_envvar=True,
    help="The schema of files of tests, *.policy-test.yaml, instead.",
)
def schema(tests: bool) -> None:
    """Print the JSON Schema of policies, by which editors complete and check them.

    In a policy's first line: `# yaml-language-server: $schema=schema.json`, with the path of what this prints.
    """
    click.echo(schema_text(tests=tests), nl=False)


def schema_text(*, tests: bool = False) -> str:
    """The whole text of ``policies/schema.json``, or of ``policies/tests-schema.json``."""
    import json

    from sockproxy.policy.schema import policy_schema, tests_schema

    return json.dumps(tests_schema() if tests else policy_schema(), indent=2, ensure_ascii=False) + "\n"
