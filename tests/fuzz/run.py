"""Fuzz one target for some seconds: ``python -m tests.fuzz TARGET --seconds 60``.

The inputs that it starts from are ``corpus/TARGET``; those that reach something new are kept in a folder outside of the
repository, where the next run finds them. What breaks a target is minimised, told with its path, and the status is 1.
``--coverage`` runs all that is kept once, without atheris, and tells which lines of the target's modules are reached.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz import CORPUS, TARGETS, One, Target, target

MEMORY_MB = 1500
"""What a fuzzing process may take before that counts as a finding."""
INPUT_SECONDS = 10
"""What one input may take before that counts as a finding."""
MINIMISE_SECONDS = 30.0

_ROOT = CORPUS.parent.parent.parent
_PULSE = re.compile(r"#(\d+)\s+(INITED|pulse|DONE)\s+cov: (\d+) ft: (\d+) corp: (\d+)/\S+.*exec/s: (\d+) rss: (\d+)Mb")
_ARTIFACT = re.compile(r"Test unit written to (\S+)")


@dataclass
class Told:
    """What the fuzzing process said."""

    executions: int = 0
    per_second: int = 0
    coverage: int = 0
    features: int = 0
    inputs: int = 0
    artifact: Path | None = None
    log: list[str] = field(default_factory=list)

    def read(self, line: str) -> bool:
        """Whether the line is worth a look while it runs."""
        if (pulse := _PULSE.match(line)) is not None:
            executions, _, coverage, features, inputs, per_second, _ = pulse.groups()
            self.executions, self.coverage, self.features = int(executions), int(coverage), int(features)
            self.inputs, self.per_second = int(inputs), int(per_second)
            return True
        if (artifact := _ARTIFACT.search(line)) is not None:
            self.artifact = Path(artifact[1])
        return False


def main(arguments: list[str]) -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "sockproxy-fuzz")
    parser.add_argument("--coverage", action="store_true", help="run what is kept once, and tell what it reaches")
    parser.add_argument("--minimise", type=Path, metavar="FILE", help="make an input smaller that breaks the target")
    given = parser.parse_args(arguments)
    work = given.work / given.target
    for folder in ("corpus", "findings"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    if given.minimise is not None:
        return _minimise(target(given.target), given.minimise)
    if given.coverage:
        return _coverage(given.target, work)
    return _fuzz(given.target, given.seconds, work)


def _fuzz(name: str, seconds: int, work: Path) -> int:
    chosen = target(name)
    dictionary = work / "words.dict"
    dictionary.write_text("\n".join(dict.fromkeys(map(quoted, chosen.words()))) + "\n", encoding="ascii")
    kept = len(list((work / "corpus").iterdir()))
    began = time.monotonic()
    told = _run(
        [
            *(sys.executable, "-m", "tests.fuzz.worker", name, f"-max_total_time={seconds}", f"-dict={dictionary}"),
            *(f"-rss_limit_mb={MEMORY_MB}", f"-timeout={INPUT_SECONDS}", f"-artifact_prefix={work / 'findings'}/"),
            *(str(work / "corpus"), str(CORPUS / name)),
        ],
        work / "log.txt",
    )
    new = len(list((work / "corpus").iterdir())) - kept
    print(
        f"{name}: {told.executions} executions in {time.monotonic() - began:.0f} s ({told.per_second}/s),"
        f" coverage {told.coverage} edges, {told.features} features, {told.inputs} inputs, {new} of them new"
    )
    if told.artifact is None:
        if told.executions:
            return 0
        print("".join(told.log[-20:]), end="")  # it did not even start
        return 2
    print(f"{name}: FOUND {told.artifact}\n{''.join(told.log[-40:])}", end="")
    _minimise(chosen, told.artifact)
    return 1


def _run(command: list[str], log: Path) -> Told:
    told = Told()
    with (
        log.open("w", encoding="utf-8") as copy,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=_ROOT) as process,
    ):
        assert process.stdout is not None
        for line in io.TextIOWrapper(process.stdout, encoding="utf-8", errors="replace"):
            copy.write(line)
            told.log = [*told.log[-60:], line]
            if told.read(line):
                print(line, end="", flush=True)
    return told


def quoted(word: str | bytes) -> str:
    """A word as libFuzzer's dictionaries have it."""
    raw = word if isinstance(word, bytes) else word.encode("utf-8", "surrogatepass")
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in raw)
    return f'"{text}"'


# Minimising ----------------------------------------------------------------------------------------------------------


def _minimise(chosen: Target, path: Path) -> int:
    data = path.read_bytes()
    wanted = _broken(chosen.one, data)
    if wanted is None:
        print(f"{chosen.name}: {path} breaks nothing here (what took too long or too much does not break)")
        return 0
    smaller = minimised(chosen.one, data, wanted)
    kept = path.with_name(f"{path.name}.min-{hashlib.sha256(smaller).hexdigest()[:8]}")
    kept.write_bytes(smaller)
    print(f"{chosen.name}: {len(smaller)} of {len(data)} bytes break it still: {kept}\n{smaller[:2000]!r}")
    with contextlib.suppress(KeyboardInterrupt):
        try:
            chosen.one(smaller)
        except Exception:  # noqa: BLE001 - it is told, whatever it is
            traceback.print_exc(file=sys.stdout)
    return 1


def _broken(one: One, data: bytes) -> tuple[str, str] | None:
    """What it breaks: the error's type, and the line that raised it."""
    try:
        one(data)
    except Exception as error:  # noqa: BLE001 - whatever it is
        last = traceback.extract_tb(error.__traceback__)[-1]
        return type(error).__name__, f"{last.filename}:{last.lineno}"
    return None


def minimised(one: One, data: bytes, wanted: tuple[str, str]) -> bytes:
    """Take out ever smaller parts, as long as the same breaks."""
    until = time.monotonic() + MINIMISE_SECONDS
    size = len(data) // 2
    while size:
        for shorter in _without(data, size):
            if time.monotonic() > until:
                return data
            if _broken(one, shorter) == wanted:
                data = shorter
                break
        else:
            size //= 2
    return data


def _without(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[:at] + data[at + size :]


# Coverage ------------------------------------------------------------------------------------------------------------


def _coverage(name: str, work: Path) -> int:
    import coverage

    measured = coverage.Coverage(branch=True, source=["sockproxy"], data_file=None, config_file=False)
    measured.start()
    chosen = target(name)
    count = 0
    for path in sorted((*(CORPUS / name).iterdir(), *(work / "corpus").iterdir())):
        chosen.one(path.read_bytes())
        count += 1
    measured.stop()
    print(f"{name}: {count} inputs")
    measured.report(include=[f"*/{module}" for module in chosen.modules], show_missing=True)
    return 0
