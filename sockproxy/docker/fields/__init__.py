"""THE table of body fields: one file per noun, in the language of ``schema.py``.

A field that is not here is unknown, and an unknown value is refused until a policy grants it by name.
The types are those of moby's Go structs (``api/types``), which are the truth where the swagger file differs.
"""

from sockproxy.docker.fields.schema import Normal, normalise, normalise_list

__all__ = ["Normal", "normalise", "normalise_list"]
