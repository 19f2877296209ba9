"""Plugins: code that the engine runs as root, with what it was granted of the host.

A pull names the privileges that it grants, and the engine demands that they are just those that the plugin wants. One
that is made from a tar is not seen, so that asks for all there is. To enable a plugin is to ask for what it has: anyone
may have pulled it. A plugin's name counts as an image's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sockproxy.docker import references
from sockproxy.docker.asks import PLAIN_CAPABILITIES
from sockproxy.docker.fields import plugins as fields
from sockproxy.docker.inspectors.findings import Findings
from sockproxy.docker.inspectors.inspector import Inspector, nothing
from sockproxy.docker.inspectors.mounts import Use, host_path, recorded_path
from sockproxy.docker.inspectors.security import capability
from sockproxy.docker.inspectors.whose import Found, inspect_registry, normal_name, objects, part, text
from sockproxy.docker.paths import check_absolute, clean
from sockproxy.errors import Malformed
from sockproxy.model import Inspection, Json, JsonObject, Missing

_SHARED: Final = frozenset({"shared", "rshared"})


# Privileges, as a pull grants them (moby, daemon/pkg/plugin/backend_linux.go, `computePrivileges`)


def inspect_privileges(found: Findings, privileges: Json, where: str) -> None:
    """The asks of a list of privileges, each with its values."""
    for index, privilege in objects(privileges):
        for value in _texts(privilege.get("Value")) or [""]:
            _inspect_privilege(found, text(privilege, "Name"), value, f"{where}[{index}]")


def _inspect_privilege(found: Findings, privilege: str, value: str, where: str) -> None:
    match privilege:
        case "network":
            if value not in ("bridge", "none", ""):
                found.ask("namespace", f"network={value}", where)
        case "host pid namespace":
            found.ask("namespace", "pid=host", where)
        case "host ipc namespace":
            found.ask("namespace", "ipc=host", where)
        case "mount":
            _inspect_source(found, value, where, Use(read_only=False))
        case "device":
            _inspect_device(found, value, where)
        case "allow-all-devices":
            found.ask("device", "a *:* rwm", where)
        case "capabilities":
            name = capability(value)
            found.ask("capability", name, where, plain=name in PLAIN_CAPABILITIES)
        case _:
            found.ask("field", f"privilege={privilege}", where)


def _inspect_source(found: Findings, source: str, where: str, use: Use) -> None:
    if not source:
        return  # a mount whose source is still to be set
    check_absolute(source, where)
    host_path(found, source, where, use)


def _inspect_device(found: Findings, path: str, where: str) -> None:
    if not path:
        return
    check_absolute(path, where)
    found.ask("device", f"{clean(path)} rwm", where)


# What an installed plugin has


def _inspect_given(found: Findings, plugin: Found) -> None:
    """The asks for what a plugin was given: what its image wants, and what was set since."""
    prefix = f"plugin {plugin.name}: "
    config, settings = part(plugin.fact, "Config"), part(plugin.fact, "Settings")
    linux = part(config, "Linux")
    network = text(part(config, "Network"), "Type")
    _inspect_privilege(found, "network", network, f"{prefix}Config.Network.Type")
    for key, word in (("PidHost", "pid"), ("IpcHost", "ipc")):
        if config.get(key) is True:
            found.ask("namespace", f"{word}=host", f"{prefix}Config.{key}")
    if linux.get("AllowAllDevices") is True:
        found.ask("device", "a *:* rwm", f"{prefix}Config.Linux.AllowAllDevices")
    for index, name in enumerate(_texts(linux.get("Capabilities"))):
        _inspect_privilege(found, "capabilities", name, f"{prefix}Config.Linux.Capabilities[{index}]")
    # Settings hold what is in force; what the image wants is there too, unless it was set to something else.
    for holder, where in ((settings, f"{prefix}Settings"), (linux, f"{prefix}Config.Linux")):
        for index, device in objects(holder.get("Devices")):
            _inspect_device(found, text(device, "Path"), f"{where}.Devices[{index}]")
    for holder, where in ((settings, f"{prefix}Settings"), (config, f"{prefix}Config")):
        for index, mount in objects(holder.get("Mounts")):
            _inspect_mount(found, mount, f"{where}.Mounts[{index}]")


_MOUNT_TYPES: Final = frozenset({"", "none", "bind", "tmpfs"})


def _inspect_mount(found: Findings, mount: JsonObject, where: str) -> None:
    options = _texts(mount.get("Options"))
    kind, source = text(mount, "Type"), text(mount, "Source")
    if kind not in _MOUNT_TYPES:
        found.ask("field", f"plugin.Mounts.Type={kind}", f"{where}.Type")
    if source.startswith("/"):
        recorded_path(found, source, where, Use("ro" in options, not _SHARED.isdisjoint(options)))


def _texts(value: Json) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


# Which plugin


def _in_path(found: Findings) -> Found | None:
    """The plugin that the path names, and the ask for it. None while it must be looked up, or where it is absent."""
    reference = found.call.params["name"]
    fact: JsonObject | Missing | None
    if not _is_reference(reference):
        fact = Missing(404, f"plugin {reference} not found")
    else:
        fact = found.look_up(f"/plugins/{reference}/json")
    if isinstance(fact, Missing):
        found.absent = fact
        return None
    if fact is None:
        return None
    name = text(fact, "Name") or reference
    found.ask("image", normal_name(name, "path"), "path")
    return Found(name, fact, text(fact, "Id") or reference)


def _is_reference(text_: str) -> bool:
    if references.is_id_like(text_):
        return True
    try:
        references.parse(text_)
    except references.InvalidReferenceError:
        return False
    return True


def _path(found: Findings, plugin: Found | None) -> str | None:
    return None if plugin is None else found.path_of(plugin.forward)


# Rows


def _inspect_remote(found: Findings) -> None:
    """Where a plugin comes from."""
    remote = found.query.get("remote", "")
    if not remote:
        raise Malformed("a plugin comes from ?remote")
    found.ask("image", normal_name(remote, "?remote"), "?remote")


def _pull(found: Findings) -> Inspection:
    body = found.body_list(fields.PRIVILEGES)
    _inspect_remote(found)
    if name := found.query.get("name", ""):
        found.ask("tag", normal_name(name, "?name"), "?name")
    inspect_privileges(found, body, "body")
    return found.forward(body=body)


def _upgrade(found: Findings) -> Inspection:
    body = found.body_list(fields.PRIVILEGES)
    plugin = _in_path(found)
    _inspect_remote(found)
    inspect_privileges(found, body, "body")
    # By its name: an id is taken for a repository's name here, and refused (tried on 20.10 and 28.5).
    return found.forward(path=found.path_of(plugin.name) if plugin is not None else None, body=body)


def _create(found: Findings) -> Inspection:
    name = found.query.get("name", "")
    if not name:
        raise Malformed("a plugin needs ?name")
    found.ask("tag", normal_name(name, "?name"), "?name")
    found.ask("privileged", "plugin", "body")
    return found.forward()


def _enable(found: Findings) -> Inspection:
    plugin = _in_path(found)
    if plugin is not None:
        _inspect_given(found, plugin)
    return found.forward(path=_path(found, plugin))


def _set(found: Findings) -> Inspection:
    """A setting may move a mount or a device that the plugin lets be set: that asks for what it would then have.

    ``name=value`` or ``name.field=value`` (moby, daemon/pkg/plugin/v2/settable.go); environment and arguments ask
    nothing.
    """
    body = found.body_list(fields.SETTINGS)
    plugin = _in_path(found)
    if plugin is not None:
        config = part(plugin.fact, "Config")
        mounts = {text(mount, "Name") for _, mount in objects(config.get("Mounts"))}
        devices = {text(device, "Name") for _, device in objects(part(config, "Linux").get("Devices"))}
        for index, setting in enumerate(_texts(body)):
            key, _, value = setting.partition("=")
            name, _, field = key.partition(".")
            where = f"[{index}]"
            if name in mounts and field in ("", "source"):
                _inspect_source(found, value, where, Use(read_only=False))
            elif name in devices and field in ("", "path"):
                _inspect_device(found, value, where)
            elif field in ("options", "type"):
                found.ask("field", f"plugin.Mounts.{field}", where)
    return found.forward(path=_path(found, plugin), body=body)


def _by_name(found: Findings) -> Inspection:
    return found.forward(path=_path(found, _in_path(found)))


def _push(found: Findings) -> Inspection:
    found.ask("image", normal_name(found.call.params["name"], "path"), "path")
    return found.forward()


def _registry(found: Findings) -> Inspection:
    """What a plugin wants: the engine asks the registry that its name says."""
    inspect_registry(found, found.query.get("remote") or found.query.get("name", ""), "?remote")
    return found.forward()


INSPECTORS: Final[Mapping[str, Inspector]] = MappingProxyType(
    {
        "PluginList": nothing,
        "PluginInspect": nothing,
        "GetPluginPrivileges": _registry,
        "PluginPull": _pull,
        "PluginUpgrade": _upgrade,
        "PluginCreate": _create,
        "PluginEnable": _enable,
        "PluginDisable": _by_name,
        "PluginDelete": _by_name,
        "PluginSet": _set,
        "PluginPush": _push,
    }
)
