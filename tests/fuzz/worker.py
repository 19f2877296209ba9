"""The process that fuzzes: ``python -m tests.fuzz.worker TARGET`` and libFuzzer's own arguments."""

from __future__ import annotations

import resource
import sys
from random import Random

import atheris

ADDRESS_SPACE = 6 * 2**30
"""Bytes at which the kernel ends it, whatever libFuzzer has seen."""


def main() -> None:
    name, *arguments = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    with atheris.instrument_imports(include=["sockproxy"]):
        from tests.fuzz import target

        chosen = target(name)
    options = {}
    if (mutate := chosen.mutate) is not None:

        def mutated(data: bytes, longest: int, seed: int) -> bytes:
            made = mutate(data, longest, Random(seed))
            return atheris.Mutate(data, longest) if made is None else made

        options["custom_mutator"] = mutated
    atheris.Setup([sys.argv[0], f"-max_len={chosen.longest}", *arguments], chosen.one, **options)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
