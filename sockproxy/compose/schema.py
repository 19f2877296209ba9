"""Every key that a compose file may have, mapping by mapping: what is not in here is a mistake, never passed over.

From the Compose Specification's schema as docker compose 2.40 has it (compose-go, ``schema/compose-spec.json``).
A node of the table is a set of keys, each with the table of what stands below it, or with what its value may be, which
most often is a text: a number in its place is a mistake to compose. Keys that begin with `x-` are the author's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from enum import Enum, auto
from typing import Final, TypeAlias

from sockproxy.compose.document import Mapping, Node, Scalar, Sequence
from sockproxy.compose.notes import Notes, nearest


class Leaf(Enum):
    """What stands at a key below which the table has no keys."""

    TEXT = auto()
    """A text, or a list of texts."""
    LIST = auto()
    """A list of texts, or a mapping."""
    ANY = auto()


Keys: TypeAlias = "Map[str, Keys | Leaf]"

_SIGNS: Final = {"?": Leaf.ANY, "*": Leaf.LIST}


def _keys(text: str, **below: Keys | Leaf) -> Keys:
    """The keys of a text, each a `Leaf`: by the sign behind it, else a text."""
    return {**{word.rstrip("?*"): _SIGNS.get(word[-1], Leaf.TEXT) for word in text.split()}, **below}


_DEVICES: Final = _keys("capabilities count? device_ids driver options")
_RESOURCES: Final = _keys(
    "",
    limits=_keys("cpus? memory pids?"),
    reservations=_keys("cpus? memory generic_resources?", devices=_DEVICES),
)
_UPDATE: Final = _keys("parallelism? delay failure_action monitor max_failure_ratio? order")
_HOOK: Final = _keys("command user privileged? working_dir environment*")
_FILE: Final = _keys("source target uid gid mode?")

_DEPLOY: Final = _keys(
    "mode endpoint_mode replicas? labels*",
    rollback_config=_UPDATE,
    update_config=_UPDATE,
    resources=_RESOURCES,
    restart_policy=_keys("condition delay max_attempts? window"),
    placement=_keys("constraints max_replicas_per_node?", preferences=_keys("spread")),
)

_BUILD: Final = _keys(
    "context dockerfile dockerfile_inline entitlements args* ssh* labels* cache_from cache_to no_cache? platforms "
    "network additional_contexts* provenance? sbom? pull? target shm_size? extra_hosts* isolation privileged? secrets "
    "tags ulimits?"
)

_VOLUME: Final = _keys(
    "type source target read_only? consistency",
    bind=_keys("propagation create_host_path? recursive selinux"),
    volume=_keys("labels* nocopy? subpath"),
    tmpfs=_keys("size? mode?"),
    image=_keys("subpath"),
)

_BLKIO_LIMIT: Final = _keys("path rate?")

_SERVICE: Final = _keys(
    "annotations* attach? cap_add* cap_drop* cgroup cgroup_parent command container_name cpu_count? cpu_percent? "
    "cpu_shares? cpu_quota? cpu_period? cpu_rt_period? cpu_rt_runtime? cpus? cpuset depends_on device_cgroup_rules "
    "dns dns_opt dns_search domainname entrypoint environment* expose? external_links extra_hosts* group_add? "
    "hostname image init? ipc isolation label_file labels* links mac_address mem_limit? mem_reservation? "
    "mem_swappiness? memswap_limit? network_mode models oom_kill_disable? oom_score_adj? pid pids_limit? platform "
    "privileged? profiles pull_policy pull_refresh_after read_only? restart runtime scale? security_opt shm_size? "
    "stdin_open? stop_grace_period? stop_signal storage_opt? sysctls* tmpfs tty? ulimits? use_api_socket? user uts "
    "userns_mode volumes_from working_dir networks env_file develop?",
    deploy=_DEPLOY,
    build=_BUILD,
    blkio_config=_keys(
        "weight?",
        device_read_bps=_BLKIO_LIMIT,
        device_read_iops=_BLKIO_LIMIT,
        device_write_bps=_BLKIO_LIMIT,
        device_write_iops=_BLKIO_LIMIT,
        weight_device=_keys("path weight?"),
    ),
    credential_spec=_keys("config file registry"),
    devices=_keys("source target permissions"),
    extends=_keys("service file"),
    provider=_keys("type options"),
    gpus=_DEVICES,
    healthcheck=_keys("disable? interval? retries? test timeout? start_period? start_interval?"),
    logging=_keys("driver options"),
    ports=_keys("name mode host_ip target? published? protocol app_protocol"),
    post_start=_HOOK,
    pre_stop=_HOOK,
    configs=_FILE,
    secrets=_FILE,
    volumes=_VOLUME,
)

SILENT: Final = frozenset({"attach", "develop", "env_file", "pre_stop", "pull_refresh_after"})
"""Keys of a service that change none of the calls that are judged: variables of a file ask nothing, the rest is for
other commands than ``up --detach``. Every other key is read, or noted where it is met."""

ENDPOINT: Final = _keys(
    "aliases interface_name ipv4_address ipv6_address link_local_ips mac_address driver_opts* priority? gw_priority?"
)
"""What a service may say of a network that it joins."""

DEPENDENCY: Final = _keys("condition restart? required?")
"""What a service may say of one that it depends on."""

INCLUDE: Final = _keys("path project_directory env_file")
"""What an entry of `include` may say."""

_NETWORK: Final = _keys(
    "name driver driver_opts* external? internal? enable_ipv4? enable_ipv6? attachable? labels*",
    ipam=_keys("driver options", config=_keys("subnet ip_range gateway aux_addresses")),
)
_TOP_VOLUME: Final = _keys("name driver driver_opts* external? labels*")
_CONFIG: Final = _keys("name content environment* file external? labels* template_driver")
_SECRET: Final = _keys("name environment* file external? labels* driver driver_opts* template_driver")

SECTIONS: Final[Map[str, Keys]] = {
    "services": _SERVICE,
    "networks": _NETWORK,
    "volumes": _TOP_VOLUME,
    "configs": _CONFIG,
    "secrets": _SECRET,
}
"""The sections that hold things by their names, and the keys of such a thing."""

_NAME: Final = re.compile(r"[a-zA-Z0-9._-]+")
_TOP: Final = _keys("version name include? models?", **dict.fromkeys(SECTIONS, Leaf.ANY))


def check(document: Mapping, notes: Notes) -> None:
    """Say of every key that compose does not know."""
    _check(document, _TOP, "a compose file", notes)
    for section, keys in SECTIONS.items():
        things = document.get(section)
        for name, thing in things.entries if isinstance(things, Mapping) else ():
            if not _NAME.fullmatch(name.text):
                notes.wrong(name, f"`{name.text}` cannot be a name", "letters, digits, dots, dashes and _")
            _check(thing, keys, f"{section}.{name.text}", notes)


def check_keys(node: Mapping, keys: Keys, what: str, notes: Notes) -> None:
    """Say of every key of one mapping that compose does not know, and of what stands below it."""
    _check(node, keys, what, notes)


def _check(node: Node, keys: Keys, what: str, notes: Notes) -> None:
    if isinstance(node, Sequence):
        for each in node.items:
            _check(each, keys, what, notes)
    if not isinstance(node, Mapping):
        return
    for key, value in node.entries:
        below = keys.get(key.text)
        if below is None:
            if not key.text.startswith("x-"):
                notes.wrong(key, f"`{key.text}` is no key of {what}", nearest(key.text, keys))
        elif isinstance(below, Leaf):
            _check_leaf(key, value, below, notes)
        else:
            _check(value, below, f"{what}.{key.text}", notes)


def _check_leaf(key: Scalar, value: Node, leaf: Leaf, notes: Notes) -> None:
    texts = value.items if isinstance(value, Sequence) else (value,) if leaf is Leaf.TEXT else ()
    for each in texts if leaf is not Leaf.ANY else ():
        # Nothing is what another file has said, where one has.
        if isinstance(each, Scalar) and not each.is_text and not each.nothing:
            notes.wrong(each, f"`{key.text}: {each.text}` is to be a text", "quote it")
