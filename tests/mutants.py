"""Mutation testing of what refuses: ``make mutants`` (by hand, or weekly; a whole run takes hours).

mutmut changes the decision and the inspectors in one place at a time and runs the tests that reach it: a change that no
test notices is a check that could be lost. It works on a copy of the tree in ``.mutants/``. Changes of a text alone are
counted apart: most are of a place in a message, which a test need not hold word for word.

    python -m tests.mutants [--sample N] [--seed S] [--children N]
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORK = ROOT / ".mutants"
MUTMUT = Path(sys.executable).with_name("mutmut")
SURVIVED, UNREACHED = 0, 33
"""mutmut's own codes of how a mutant fared; every other is a mutant that was killed, a hang included."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("--sample", type=int, default=0, help="how many mutants, chosen at random (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="what the choice depends on")
    parser.add_argument("--children", type=int, default=2, help="how many run at once")
    chosen = parser.parse_args()
    copy()
    run(["sockproxy.decide.x__listed__mutmut_1"], chosen.children)  # makes them all, and learns which test reaches what
    made = dict(mutants())
    names = sorted(made)
    if chosen.sample:
        names = sorted(random.Random(chosen.seed).sample(names, min(chosen.sample, len(names))))
    run(names, chosen.children)
    return told(names, made, len(made), chosen.seed)


def copy() -> None:
    """A fresh copy of what git knows, and of what is new."""
    shutil.rmtree(WORK, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (WORK / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, WORK / name)


def run(names: Iterable[str], children: int) -> None:
    # Some tests are named by sets, in whose order no two processes agree: mutmut would take them for others.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    with (WORK / "mutmut.log").open("ab") as log:
        command = [MUTMUT, "run", "--max-children", str(children), *names]
        subprocess.run(command, cwd=WORK, stdout=log, stderr=log, env=environment, check=False)


def mutants() -> Iterator[tuple[str, bool]]:
    """Each mutant's name, and whether it is a change of a text alone."""
    for meta in sorted((WORK / "mutants").rglob("*.py.meta")):
        source = meta.with_suffix("")
        module = ".".join(source.relative_to(WORK / "mutants").with_suffix("").parts)
        shapes = dict(_shapes(source))
        for name in json.loads(meta.read_text())["exit_code_by_key"]:
            function = name.removeprefix(f"{module}.")
            original = f"{function.rpartition('__mutmut_')[0]}__mutmut_orig"
            yield name, shapes.get(function) == shapes.get(original)


def _shapes(source: Path) -> Iterator[tuple[str, str]]:
    """Every function of a file by its name, without its texts."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.FunctionDef):
            name, node.name = node.name, ""
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    part.value = ""
            yield name, ast.dump(node)


def told(names: list[str], wording: dict[str, bool], count: int, seed: int) -> int:
    """Print the score and the survivors; 1 where a change of more than a text survived."""
    codes: dict[str, int | None] = {}
    for meta in (WORK / "mutants").rglob("*.py.meta"):
        codes |= json.loads(meta.read_text())["exit_code_by_key"]
    tried = [name for name in names if codes.get(name) is not None]
    print(f"{len(tried)} of {count} mutants tried (seed {seed})")
    for text, title in ((False, "of what is done"), (True, "of a text alone")):
        of_kind = [name for name in tried if wording[name] is text]
        left = [name for name in of_kind if codes[name] in (SURVIVED, UNREACHED)]
        killed = len(of_kind) - len(left)
        print(f"{title}: {killed} of {len(of_kind)} killed ({killed / max(1, len(of_kind)):.1%})")
        for name in left:
            print(f"    {name}{'' if codes[name] == SURVIVED else '  (no test reaches it)'}")
    return int(any(codes[name] in (SURVIVED, UNREACHED) and not wording[name] for name in tried))


if __name__ == "__main__":
    sys.exit(main())
