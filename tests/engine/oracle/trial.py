"""One case after the other: what the engine made of it, what sockproxy asked for, and whether the two agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sockproxy import judge
from sockproxy.decide import decide
from sockproxy.docker.inspectors import inspect
from sockproxy.docker.inspectors.asked import MAY_ASK
from sockproxy.errors import Refusal
from sockproxy.model import Allow, Ask, Context, Forward, Missing
from sockproxy.policy.load import load
from tests.engine.oracle import powers
from tests.engine.oracle.bare import Answer, Bare
from tests.engine.oracle.cases import Case, case
from tests.engine.oracle.objects import NOUNS, Noun, differences
from tests.engine.oracle.powers import Fact, Power, Sent
from tests.engine.oracle.scene import Scene

EVERYTHING = Path(__file__).with_name("everything.yaml")
HELD = (frozenset[str](), frozenset({"container", "volume", "network", "service", "image"}))
"""What a policy may hold: nothing, or everything. Powers must be asked for either way."""


@dataclass(frozen=True)
class Judged:
    """What sockproxy says to a case."""

    asks: tuple[Ask, ...]
    forward: Forward | None
    why: str
    """Why there is nothing to forward."""
    mistaken: str = ""
    """A refusal that only a policy could have been meant to make."""


@dataclass(frozen=True)
class Made:
    """An object that the engine made, looked at and removed again."""

    answer: Answer
    view: Any = None
    powers: tuple[Power, ...] = ()
    strangers: tuple[str, ...] = ()


@dataclass
class Tally:
    """What came of a run."""

    seed: int
    sent: Counter[str] = field(default_factory=Counter)
    """Cases, by noun."""
    accepted: Counter[str] = field(default_factory=Counter)
    """Cases that the bare engine made something of, by noun."""
    refused: Counter[str] = field(default_factory=Counter)
    """Cases that the engine accepts and sockproxy refuses whatever the policy, by reason."""
    compared: int = 0
    loosened: int = 0
    """Cases that the engine refuses as they came and accepts as they are forwarded; their asks cover what was made."""
    engine_said: Counter[str] = field(default_factory=Counter)
    met: set[str] = field(default_factory=set)
    """The places of `powers.FIELDS` at which a power was seen."""
    failures: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        share = 100 * self.accepted.total() // max(1, self.sent.total())
        lines = [
            f"seed {self.seed}: sent {self.sent.total()} {dict(self.sent)}",
            f"accepted by the engine {self.accepted.total()} {dict(self.accepted)} ({share} %)",
            f"of these refused by sockproxy {self.refused.total()} {dict(self.refused.most_common(12))}",
            f"compared {self.compared}, accepted only as forwarded {self.loosened}, failures {len(self.failures)}",
        ]
        return "\n".join(lines)


class Trial:
    """The engine and sockproxy, side by side."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self._scene = scene
        self._policy = load(EVERYTHING)
        self._context = Context(engine_version=scene.api, engine_minimum=scene.oldest)
        self.tally = Tally(seed)

    def run(self, numbers: Iterable[int], focus: str | None = None, most: int | None = None) -> Tally:
        """Try these cases; end early after ``most`` failures."""
        for number in numbers:
            self.one(case(self.tally.seed, number, self._scene, focus))
            if most is not None and len(self.tally.failures) >= most:
                break
        return self.tally

    def one(self, each: Case) -> None:
        """Judge it first, since making it changes what look-ups find; then send it as it is, then as forwarded."""
        judged = self.judged(each)
        noun = NOUNS[each.noun]
        made = self.made(each, noun)
        self.tally.sent[each.noun] += 1
        if made.view is None:
            self.tally.engine_said[f"{each.noun} {made.answer.status} {made.answer.message[:90]}"] += 1
        else:
            self.tally.accepted[each.noun] += 1
            self.tally.met.update(power.field for power in made.powers)
            for stranger in made.strangers:
                self._fail(each, f"the engine has a field that nobody has looked at: {stranger}")
            if judged.mistaken:
                self._fail(each, judged.mistaken)
        if judged.forward is None:
            if made.view is not None:
                self.tally.refused[judged.why] += 1
            return
        self._lacking(each, judged, made, "as sent")
        again = self.forwarded(each, judged.forward, noun)
        if made.view is None:
            if again.view is not None:
                self.tally.loosened += 1
                self._lacking(each, judged, again, "as forwarded")
            return
        self.tally.compared += 1
        self.compare(each, made, again)

    def compare(self, each: Case, made: Made, again: Made) -> None:
        """Both must be one and the same object."""
        if again.view is None:
            self._fail(each, f"the engine refuses it as forwarded: {again.answer.status} {again.answer.message}")
            return
        if found := differences(made.view, again.view):
            self._fail(each, "another object as forwarded: " + "; ".join(found[:6]))

    def _lacking(self, each: Case, judged: Judged, made: Made, how: str) -> None:
        for power in made.powers:
            if not power.asked(judged.asks):
                asks = ", ".join(str(ask) for ask in judged.asks if ask.kind == power.kind) or "none of that kind"
                self._fail(each, f"{how}, a power without an ask: {power} (asks: {asks})")

    def _fail(self, each: Case, why: str) -> None:
        self.tally.failures.append(f"seed {self.tally.seed}, {each}\n=> {why}")

    # sockproxy's side

    def judged(self, each: Case, held: frozenset[str] | None = None) -> Judged:
        """The asks of a case, and what would be forwarded where everything is granted.

        ``held`` is what a policy holds; without it one or the other of `HELD`.
        """
        headers = [("host", "docker"), ("content-length", str(len(each.body))), *each.headers]
        try:
            request, operation, params = judge.recognise(
                b"POST", each.target.encode(), [(name.lower().encode(), value.encode()) for name, value in headers]
            )
            denied = judge.early(request, operation, self._policy, self._context, None)
            assert denied is None, denied
            call = judge.call(request, operation, params, each.body, self._policy, self._context)
            context = self._context
            for _ in range(8):
                inspection = inspect(call, context, HELD[each.number % 2] if held is None else held)
                if not inspection.needs:
                    break
                found = {path: self._fact(path) for path in inspection.needs}
                context = replace(context, facts={**context.facts, **found})
        except Refusal as refusal:
            return Judged((), None, type(refusal).__name__)
        beyond = {ask.kind for ask in inspection.asks} - MAY_ASK[operation.name]
        assert not beyond, f"{each}\n=> the table of what {operation.name} may ask lacks {beyond}"
        if inspection.absent is not None:
            # The engine answers 404 too: that it does is a matter of comparing the two.
            return Judged(inspection.asks, None, "absent", f"sockproxy finds nothing there: {inspection.absent}")
        verdict = decide(operation, inspection.asks, inspection.forward, self._policy, None)
        if isinstance(verdict, Allow):
            return Judged(inspection.asks, inspection.forward, "")
        never = [ask for ask in verdict.refused if not ask.grantable]
        return Judged(
            inspection.asks,
            None,
            f"never granted: {never[0].kind} {never[0].where.partition('[')[0]}" if never else "not granted",
            "" if never else f"a policy that grants everything refuses: {verdict.message}",
        )

    def _fact(self, path: str) -> Any:
        answer = self._scene.bare.get(path)
        if 400 <= answer.status < 500:
            return Missing(answer.status, answer.message)
        assert answer.status == 200, f"{path}: {answer.status} {answer.message}"
        return answer.json

    # The engine's side

    def made(self, each: Case, noun: Noun, bare: Bare | None = None) -> Made:
        """What the engine makes of a case as it came. ``bare`` is another way there than straight."""
        return self._made(
            (bare or self._scene.bare).send("POST", each.target, each.body, dict(each.headers)), each, noun
        )

    def forwarded(self, each: Case, forward: Forward, noun: Noun) -> Made:
        """What it makes of what sockproxy would send instead."""
        headers = {**dict(forward.headers), **({"Content-Type": forward.content_type} if forward.content_type else {})}
        return self._made(self._scene.bare.send(forward.method, forward.target, forward.body, headers), each, noun)

    def _made(self, answer: Answer, each: Case, noun: Noun) -> Made:
        if answer.status != 201:
            if each.noun == "container":
                self._scene.clear_volumes()
            return Made(answer)
        path = noun.path(answer)
        looked = self._scene.bare.get(path)
        assert looked.status == 200, f"{path}: {looked.status} {looked.message}"
        fact: Fact = looked.json
        try:
            strangers = powers.strangers(fact) if each.noun == "container" else []
            found = noun.powers(fact, self._scene, Sent(_is_named(each, fact)))
            return Made(answer, noun.view(looked.json, self._scene), tuple(found), tuple(strangers))
        finally:
            noun.remove(path, fact, self._scene)


def _is_named(each: Case, fact: Fact) -> bool:
    if each.noun == "container":
        return bool(parse_qs(urlsplit(each.target).query).get("name"))
    return len(str(fact.get("Name", ""))) != 64
