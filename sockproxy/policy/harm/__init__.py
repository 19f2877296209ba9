"""What rules let somebody do to the host and to others, by level, worst first.

    rule ─► the rows that it allows   rows.py     each does something, to everyone's things or to those that it holds
        ├─► the kinds that it grants  powers.py   each is a power over the host; a *road* where it leads to all of it
        ├─► host paths                binds.py    what is in them, and where a link in them leads
        └─► what is made by it        making.py   with whose volumes, in whose networks, how much of it
                                      facts.py    the nouns that all of these speak in

Pure facts about a policy: nothing here is refused or allowed. What a client does to things that it could have made
itself under the same hold (`only: container: ci-*`) is no harm to others, and no finding.
"""

from __future__ import annotations

from sockproxy.policy.harm.binds import of_binds, races, writes_host_paths
from sockproxy.policy.harm.facts import Finding, Given, Level
from sockproxy.policy.harm.making import of_builds, of_containers
from sockproxy.policy.harm.powers import of_powers
from sockproxy.policy.harm.rows import ROWS, of_rows

__all__ = ["ROWS", "Finding", "Given", "Level", "findings", "races", "writes_host_paths"]


def findings(given: Given) -> tuple[Finding, ...]:
    """All that somebody can do: the roads to the host, then by level; within a level as it stands in the policy."""
    found: list[Finding] = []
    binds = of_binds(given)
    for rule in given.rules:
        rows = given.rows(rule)
        found += of_rows(rule, rows, given)
        found += of_powers(rule, rows)
        found += of_containers(rule, rows)
        found += of_builds(rule, rows)
        found += binds.get(rule.id, ())
    return tuple(sorted(dict.fromkeys(found), key=lambda finding: (not finding.road, finding.level)))
