"""The bodies of networks, and what a container says of each network that it joins (moby: ``api/types/network``)."""

from __future__ import annotations

from typing import Final

from sockproxy.docker.fields.schema import Bool, Ignored, Int, List, Map, Str, Struct

ENDPOINT: Final = Struct(
    {
        "IPAMConfig": Struct({"IPv4Address": Str(), "IPv6Address": Str(), "LinkLocalIPs": List(Str())}),
        "Links": List(Str()),
        "Aliases": List(Str()),
        "MacAddress": Str(),
        "DriverOpts": Map(Str()),
        "GwPriority": Int(),
        # It would win over the network's name in the key (moby, daemon/container_operations.go): judged, not forwarded.
        "NetworkID": Str(),
        # What an inspect shows and clients echo; the engine overwrites it.
        **dict.fromkeys(
            (
                *("EndpointID", "Gateway", "IPAddress", "IPPrefixLen"),
                *("IPv6Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen", "DNSNames"),
            ),
            Ignored(),
        ),
    }
)

CREATE: Final = Struct(
    {
        "Name": Str(),
        "CheckDuplicate": Bool(),
        "Driver": Str(),
        "Scope": Str(),
        "EnableIPv4": Bool(),
        "EnableIPv6": Bool(),
        "IPAM": Struct(
            {
                "Driver": Str(),
                "Options": Map(Str()),
                "Config": List(
                    Struct({"Subnet": Str(), "IPRange": Str(), "Gateway": Str(), "AuxiliaryAddresses": Map(Str())})
                ),
            }
        ),
        "Internal": Bool(),
        "Attachable": Bool(),
        "Ingress": Bool(),
        "ConfigOnly": Bool(),
        "ConfigFrom": Struct({"Network": Str()}),
        "Options": Map(Str()),
        "Labels": Map(Str()),
    }
)

CONNECT: Final = Struct({"Container": Str(), "EndpointConfig": ENDPOINT})

DISCONNECT: Final = Struct({"Container": Str(), "Force": Bool()})
