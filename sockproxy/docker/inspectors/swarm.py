"""The swarm itself, its nodes, secrets and configs.

Most of these rows are powers as such: who may call ``POST /swarm/join`` gives the host to a cluster. So the row is what
a policy grants; what is asked besides is what goes beyond the plain command: another root of trust, a log driver for
every task, addresses, a node made a manager, a template that reads a task's other secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker.fields import swarm as fields
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.host_config import log_driver
from sockproxy.docker.inspectors.inspector import Inspector, nothing
from sockproxy.docker.inspectors.whose import part, swarm_fact, text
from sockproxy.model import Inspection, JsonObject, Missing


def _init(found: Findings) -> Inspection:
    body = found.body(fields.INIT)
    pools = body.get("DefaultAddrPool")
    for index, pool in enumerate(pools if isinstance(pools, list) else ()):
        found.ask("address", f"subnet={pool}", f"DefaultAddrPool[{index}]")
    if body.get("ForceNewCluster") is True:
        # The other managers of the cluster are left behind.
        found.ask("field", "ForceNewCluster", "ForceNewCluster")
    _inspect_spec(found, part(body, "Spec"), "Spec.")
    return found.forward(body=body)


def _join(found: Findings) -> Inspection:
    return found.forward(body=found.body(fields.JOIN))


def _update(found: Findings) -> Inspection:
    body = found.body(fields.UPDATE)
    _inspect_spec(found, body, "")
    return found.forward(body=body)


def _inspect_spec(found: Findings, spec: JsonObject, prefix: str) -> None:
    trust = part(spec, "CAConfig")
    for key in ("ExternalCAs", "SigningCACert", "SigningCAKey"):
        if trust.get(key):
            # Who signs certificates makes managers.
            where = f"{prefix}CAConfig.{key}"
            found.ask("field", where, where)
    driver = part(spec, "TaskDefaults", "LogDriver")
    where = f"{prefix}TaskDefaults.LogDriver"
    log_driver(found, text(driver, "Name"), part(driver, "Options"), f"{where}.Name", f"{where}.Options")


def _unlock(found: Findings) -> Inspection:
    return found.forward(body=found.body(fields.UNLOCK))


def _node(found: Findings) -> Inspection:
    """Clients send the whole spec back, its role too: only one that is not a manager yet is made one."""
    body = found.body(fields.NODE)
    path = None
    if text(body, "Role").lower() == "manager":
        fact = swarm_fact(found, "nodes", found.call.params["id"])
        if isinstance(fact, Missing):
            found.absent = fact
        elif fact is not None:
            path = found.path_of(text(fact, "ID") or found.call.params["id"])
            if text(part(fact, "Spec"), "Role") != "manager":
                found.ask("field", "Role=manager", "Role")
    return found.forward(path=path, body=body)


def _secret(found: Findings) -> Inspection:
    body = found.body(fields.SECRET)
    _inspect_drivers(found, body, ("Driver", "Templating"))
    return found.forward(body=body)


def _config(found: Findings) -> Inspection:
    body = found.body(fields.CONFIG)
    _inspect_drivers(found, body, ("Templating",))
    return found.forward(body=body)


def _inspect_drivers(found: Findings, body: JsonObject, keys: tuple[str, ...]) -> None:
    """A driver fetches the secret by a plugin; a template is filled in with what else its task has."""
    for key in keys:
        if driver := part(body, key):
            found.ask("field", f"{key}={text(driver, 'Name')}", f"{key}.Name")


INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        **dict.fromkeys(("SwarmInspect", "SwarmUnlockkey", "SwarmLeave"), nothing),
        "SwarmInit": _init,
        "SwarmJoin": _join,
        "SwarmUpdate": _update,
        "SwarmUnlock": _unlock,
        **dict.fromkeys(("NodeList", "NodeInspect", "NodeDelete"), nothing),
        "NodeUpdate": _node,
        **dict.fromkeys(("SecretList", "SecretInspect", "SecretDelete"), nothing),
        **dict.fromkeys(("SecretCreate", "SecretUpdate"), _secret),
        **dict.fromkeys(("ConfigList", "ConfigInspect", "ConfigDelete"), nothing),
        **dict.fromkeys(("ConfigCreate", "ConfigUpdate"), _config),
    }
)
