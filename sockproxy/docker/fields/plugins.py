"""The bodies of plugins (moby: ``api/types/plugin``): the privileges that are granted to one, and its settings."""

from __future__ import annotations

from typing import Final

from sockproxy.docker.fields.schema import List, Pointer, Str

PRIVILEGES: Final = List(Pointer({"Name": Str(), "Description": Str(), "Value": List(Str())}))
"""The body of a pull and an upgrade: the engine demands that they are just those that the plugin wants."""

SETTINGS: Final = List(Str())
"""The body of a set: ``name=value``, ``mount.source=/path``."""
