"""Every key that a compose file may have, mapping by mapping: what is not in here is a mistake, never passed over.

From the Compose Specification's schema as docker compose 2.40 has it (compose-go, ``schema/compose-spec.json``).
A node of the table is a set of keys, each with the table of what stands below it; None is read by its own reader, or
may hold anything. Keys that begin with `x-` are the author's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from typing import Final, TypeAlias

from sockproxy.compose.document import Mapping, Node, Sequence
from sockproxy.compose.notes import Notes, nearest

Keys: TypeAlias = "Map[str, Keys | None]"


def _keys(text: str, **below: Keys | None) -> Keys:
    return {**dict.fromkeys(text.split()), **below}


_DEVICES: Final = _keys("capabilities count device_ids driver options")
_RESOURCES: Final = _keys(
    "",
    limits=_keys("cpus memory pids"),
    reservations=_keys("cpus memory generic_resources", devices=_DEVICES),
)
_UPDATE: Final = _keys("parallelism delay failure_action monitor max_failure_ratio order")
_HOOK: Final = _keys("command user privileged working_dir environment")
_FILE: Final = _keys("source target uid gid mode")

_DEPLOY: Final = _keys(
    "mode endpoint_mode replicas labels",
    rollback_config=_UPDATE,
    update_config=_UPDATE,
    resources=_RESOURCES,
    restart_policy=_keys("condition delay max_attempts window"),
    placement=_keys("constraints max_replicas_per_node", preferences=_keys("spread")),
)

_BUILD: Final = _keys(
    "context dockerfile dockerfile_inline entitlements args ssh labels cache_from cache_to no_cache platforms network "
    "additional_contexts provenance sbom pull target shm_size extra_hosts isolation privileged secrets tags ulimits"
)

_VOLUME: Final = _keys(
    "type source target read_only consistency",
    bind=_keys("propagation create_host_path recursive selinux"),
    volume=_keys("labels nocopy subpath"),
    tmpfs=_keys("size mode"),
    image=_keys("subpath"),
)

_BLKIO_LIMIT: Final = _keys("path rate")

_SERVICE: Final = _keys(
    "annotations attach cap_add cap_drop cgroup cgroup_parent command container_name cpu_count cpu_percent cpu_shares "
    "cpu_quota cpu_period cpu_rt_period cpu_rt_runtime cpus cpuset depends_on device_cgroup_rules dns dns_opt "
    "dns_search domainname entrypoint environment expose external_links extra_hosts group_add hostname image init ipc "
    "isolation label_file labels links mac_address mem_limit mem_reservation mem_swappiness memswap_limit "
    "network_mode models oom_kill_disable oom_score_adj pid pids_limit platform privileged profiles pull_policy "
    "pull_refresh_after read_only restart runtime scale security_opt shm_size stdin_open stop_grace_period "
    "stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user uts userns_mode volumes_from working_dir "
    "networks env_file",
    develop=None,
    deploy=_DEPLOY,
    build=_BUILD,
    blkio_config=_keys(
        "weight",
        device_read_bps=_BLKIO_LIMIT,
        device_read_iops=_BLKIO_LIMIT,
        device_write_bps=_BLKIO_LIMIT,
        device_write_iops=_BLKIO_LIMIT,
        weight_device=_keys("path weight"),
    ),
    credential_spec=_keys("config file registry"),
    devices=_keys("source target permissions"),
    extends=_keys("service file"),
    provider=_keys("type options"),
    gpus=_DEVICES,
    healthcheck=_keys("disable interval retries test timeout start_period start_interval"),
    logging=_keys("driver options"),
    ports=_keys("name mode host_ip target published protocol app_protocol"),
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
    "aliases interface_name ipv4_address ipv6_address link_local_ips mac_address driver_opts priority gw_priority"
)
"""What a service may say of a network that it joins."""

DEPENDENCY: Final = _keys("condition restart required")
"""What a service may say of one that it depends on."""

_NETWORK: Final = _keys(
    "name driver driver_opts external internal enable_ipv4 enable_ipv6 attachable labels",
    ipam=_keys("driver options", config=_keys("subnet ip_range gateway aux_addresses")),
)
_TOP_VOLUME: Final = _keys("name driver driver_opts external labels")
_CONFIG: Final = _keys("name content environment file external labels template_driver")
_SECRET: Final = _keys("name environment file external labels driver driver_opts template_driver")

SECTIONS: Final[Map[str, Keys]] = {
    "services": _SERVICE,
    "networks": _NETWORK,
    "volumes": _TOP_VOLUME,
    "configs": _CONFIG,
    "secrets": _SECRET,
}
"""The sections that hold things by their names, and the keys of such a thing."""

_NAME: Final = re.compile(r"[a-zA-Z0-9._-]+")
_TOP: Final = frozenset({"version", "name", "include", "models", *SECTIONS})


def check(document: Mapping, notes: Notes) -> None:
    """Say of every key that compose does not know."""
    _unknown(document, _TOP, "a compose file", notes)
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
    _unknown(node, keys, what, notes)
    for key, value in node.entries:
        if (below := keys.get(key.text)) is not None:
            _check(value, below, f"{what}.{key.text}", notes)


def _unknown(node: Mapping, known: Map[str, Keys | None] | frozenset[str], what: str, notes: Notes) -> None:
    for key, _ in node.entries:
        if key.text not in known and not key.text.startswith("x-"):
            notes.wrong(key, f"`{key.text}` is no key of {what}", nearest(key.text, known))
