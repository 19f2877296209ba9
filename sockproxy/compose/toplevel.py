"""Networks and volumes of the top level: their names, and what their create says."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterator
from pathlib import Path

from sockproxy.compose.document import Mapping, Node, Scalar, is_nothing
from sockproxy.compose.project import Network, Volume
from sockproxy.compose.values import Values
from sockproxy.model import Json, JsonObject
from sockproxy.policy.document import Place


def read_networks(root: Mapping, project: str, values: Values) -> dict[str, Network]:
    """The networks by their keys; `default` is there whether it is written down or not."""
    found: dict[str, Network] = {}
    for key, thing in _things(root.get("networks"), values):
        name, external = _name(key, thing, project, values)
        body = _network_body(thing or Mapping(key.place), values)
        found[key.text] = Network(key.text, name, key.place, external, body)
    if "default" not in found:
        body = _network_body(Mapping(root.place), values)
        found["default"] = Network("default", f"{project}_default", root.place, external=False, body=body)
    return found


def read_volumes(root: Mapping, project: str, values: Values, folder_of: Callable[[Place], Path]) -> dict[str, Volume]:
    """The volumes by their keys."""
    found: dict[str, Volume] = {}
    for key, thing in _things(root.get("volumes"), values):
        _external_alone(key, thing, values)
        name, external = _name(key, thing, project, values)
        body = _volume_body(thing or Mapping(key.place), values, folder_of)
        found[key.text] = Volume(key.text, name, key.place, external, body)
    return found


def _things(node: Node | None, values: Values) -> Iterator[tuple[Scalar, Mapping | None]]:
    section = values.mapping(node)
    for key, value in section.entries if section is not None else ():
        thing = values.mapping(value)
        yield key, thing


def _external_alone(key: Scalar, thing: Mapping | None, values: Values) -> None:
    """Nothing but its name can be said of a volume that is there already. Of a network compose passes over the rest."""
    said = thing.get("external") if thing is not None else None
    if thing is None or is_nothing(said) or (isinstance(said, Scalar) and not values.flag(said)):
        return
    for name, _ in thing.entries:
        if name.text not in ("external", "name") and not name.text.startswith("x-"):
            values.notes.wrong(name, f"`{key.text}` is external: `{name.text}` is not for this file to say")


def _name(key: Scalar, thing: Mapping | None, project: str, values: Values) -> tuple[str, bool]:
    """What the engine calls a thing, and whether it must be there already: then its key is its name."""
    if thing is None:
        return f"{project}_{key.text}", False
    said, external = values.text(thing.get("name")), thing.get("external")
    if isinstance(external, Mapping):
        return values.text(external.get("name")) or said or key.text, True
    if external is not None and not is_nothing(external) and values.flag(external):
        return said or key.text, True
    return said or f"{project}_{key.text}", False


def _network_body(thing: Mapping, values: Values) -> JsonObject:
    given = thing.get
    options: JsonObject = dict(values.texts(given("driver_opts")))
    labels: JsonObject = dict(values.texts(given("labels")))
    body: JsonObject = {
        "Driver": values.text(given("driver")),
        "Scope": "",
        "IPAM": _ipam(values.mapping(given("ipam")), values),
        "Internal": values.flag(given("internal")),
        "Attachable": values.flag(given("attachable")),
        "Ingress": False,
        "ConfigOnly": False,
        "ConfigFrom": None,
        "Options": options or None,
        "Labels": labels,
    }
    for key, field in (("enable_ipv4", "EnableIPv4"), ("enable_ipv6", "EnableIPv6")):
        if not is_nothing(given(key)):
            body[field] = values.flag(given(key))
    return body


def _ipam(ipam: Mapping | None, values: Values) -> JsonObject | None:
    """Compose sends no options of an address manager (recorded of 2.40)."""
    if ipam is None:
        return None
    pools: list[Json] = []
    for entry in values.items(ipam.get("config")):
        pool = values.mapping(entry)
        if pool is None:
            continue
        addresses: JsonObject = dict(values.texts(pool.get("aux_addresses")))
        said: JsonObject = {
            "Subnet": values.text(pool.get("subnet")),
            "IPRange": values.text(pool.get("ip_range")),
            "Gateway": values.text(pool.get("gateway")),
            "AuxiliaryAddresses": addresses,
        }
        pools.append({key: value for key, value in said.items() if value})
    driver = values.text(ipam.get("driver"))
    if not driver and not pools:
        return None
    return {"Driver": driver, "Options": None, "Config": pools or None}


def _volume_body(thing: Mapping, values: Values, folder_of: Callable[[Place], Path]) -> JsonObject:
    driver, said = values.text(thing.get("driver")), thing.get("driver_opts")
    options: JsonObject = dict(values.texts(said))
    device = said.get("device") if isinstance(said, Mapping) else None
    if driver == "local" and options.get("o") == "bind" and device is not None:
        # The one path in options that is resolved (compose-go, ``paths/resolve.go``).
        options["device"] = os.path.normpath(folder_of(device.place).absolute() / str(options["device"]))
    labels: JsonObject = dict(values.texts(thing.get("labels")))
    given: JsonObject = {"Driver": driver, "DriverOpts": options}
    body: JsonObject = {key: value for key, value in given.items() if value}
    return {**body, "Labels": labels}
