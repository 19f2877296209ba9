"""The JSON that stands in query parameters of ``/build`` (moby: ``daemon/server/router/build``)."""

from __future__ import annotations

from typing import Final

from sockproxy.docker.fields.schema import List, Map, Str, Struct

OUTPUTS: Final = List(Struct({"Type": Str(), "Attrs": Map(Str())}))

CACHE_FROM: Final = List(Str())
