"""Selecting rows of the table, as policies do: ``METHOD /path``, and what was meant by one that selects nothing."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from sockproxy.docker.operations import BY_NAME, METHODS, OPERATIONS, Operation, nearest


class BadSelector(ValueError):
    """A ``METHOD /path`` of a policy that selects nothing; the message says why, ``hint`` what may be meant."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


_LONGEST_SELECTOR: Final = 1000
"""Characters. The longest that selects anything has some eighty; what follows need not be quick with more."""
_PARAM: Final = re.compile(r"\{\w+\}|\*")


def select(selector: str, *, for_deny: bool = False) -> tuple[Operation, ...]:
    """The rows that ``METHOD /path`` takes in.

    ``|`` gives alternatives in the method and in one segment, ``ANY`` is every method, ``GET`` takes in ``HEAD``,
    ``{id}``, ``{name}`` or ``*`` is a whole parameter, ``/**`` at the end the row itself and all below it. Rows marked
    explicit are taken in by a path that names them, and by a ``**`` only in a ``deny``.

    Raises:
        BadSelector: it is not of that form, or one of its alternatives selects no row: a ``deny`` with a
            word mistyped must not refuse less than it says.
    """
    if len(selector) > _LONGEST_SELECTOR:
        raise BadSelector(f"an endpoint of more than {_LONGEST_SELECTOR} characters")
    methods, _, path = selector.strip().partition(" ")
    path = path.strip()
    _refuse_no_endpoint(selector, methods, path)
    wanted = _methods(methods, path)
    below = path.endswith("/**")
    base = path.removesuffix("/**")
    withheld = below and not for_deny
    rows = [row for row in OPERATIONS if row.method in wanted and not (withheld and (row.explicit or row.never))]
    chosen: dict[Operation, None] = {}
    for segments in _alternatives(base):
        taken = [row for row in rows if _takes_in(segments, row, below=below)]
        if not taken:
            path = "/" + "/".join(segments)
            if withheld:
                _refuse_withheld(selector, segments, wanted)
            raise BadSelector(*_no_row(selector, methods, path, below="/**" if below else ""))
        chosen |= dict.fromkeys(taken)
    return tuple(row for row in OPERATIONS if row in chosen)


_ENDPOINT: Final = re.compile(r"\b(?:GET|HEAD|POST|PUT|DELETE|ANY) /[^\s,;]*")
_EVERYTHING: Final = frozenset({"any", "all", "*", "**", "everything"})


def _refuse_no_endpoint(selector: str, methods: str, path: str) -> None:
    """Refuse what is not of the form ``METHOD /path``, with what may be meant.

    Raises:
        BadSelector: it is not.
    """
    told = " ".join(selector.split())
    if methods.lower() == "deny" or methods.startswith(("!", "-")):
        hint = f"write a rule with `deny: {' '.join(told.lstrip('!- ').removeprefix('deny ').split())}`"
        raise BadSelector(f"`{told}`: nothing is taken out of a rule by its own line", hint)
    several = _ENDPOINT.findall(selector)
    if len(several) > 1:
        raise BadSelector(f"`{told}` is more than one endpoint", f"write a list: [{', '.join(several)}]")
    if methods.startswith("/") and not path:
        raise BadSelector(f"`{selector}` has no method", _nearest_selector("GET", methods) or f"GET {methods}")
    if path.startswith("/"):
        return
    raise BadSelector(f"`{told}` is not `METHOD /path`", _whole_selector(told, methods, path))


def _whole_selector(told: str, methods: str, path: str) -> str:
    """A hint at the endpoint that was meant by something else."""
    address = re.fullmatch(r"(\w+) \w+://[^/]*(/.*)", told)
    if address is not None:
        return f"write the path alone: {address[1]} {address[2]}"
    if told.lower() in _EVERYTHING or path in ("*", "**"):
        return f"did you mean {methods if path else 'ANY'} /**?"
    spread = re.fullmatch(r"([A-Z]+(?:[ ,|]+[A-Z]+)*) ?(/.*)", told)
    if spread is not None:
        return f"did you mean {'|'.join(re.findall('[A-Z]+', spread[1]))} {spread[2]}?"
    if told in BY_NAME:
        return f"did you mean {BY_NAME[told].method} {BY_NAME[told].template}?"
    if methods == "docker":
        return f"`sockproxy explain -- {told}` says which endpoints it calls"
    method, word = (methods, path) if path and methods in METHODS else ("GET", told)
    word = f"/{word.lstrip('^/')}"
    nouns = {row.template.split("/")[1] for row in OPERATIONS}
    likely = _nearest_selector(method, word) if word.split("/")[1] in nouns else ""
    return likely or "for example GET /containers/json"


def _methods(text: str, path: str) -> frozenset[str]:
    if text == "ANY":
        return METHODS
    given = text.split("|")
    for method in given:
        if method not in METHODS:
            raise BadSelector(f"`{method}` is no method", _meant_method(text, path))
    return frozenset(given) | (frozenset({"HEAD"}) if "GET" in given else frozenset())


def _meant_method(text: str, path: str) -> str:
    if text.lower() in _EVERYTHING:
        return "did you mean ANY?"
    words = re.findall("[A-Za-z]+", text)
    if len(words) > 1 and all(word.upper() in METHODS for word in words):
        return f"did you mean {'|'.join(word.upper() for word in words)} {path}?"
    close = difflib.get_close_matches(text.upper(), sorted({*METHODS, "ANY"}), n=1)
    return f"did you mean {close[0]}?" if close else f"one of {', '.join(sorted(METHODS))}, or ANY"


def _refuse_withheld(selector: str, segments: list[str], wanted: frozenset[str]) -> None:
    """Refuse a ``**`` below which there are only rows that it does not take in.

    Raises:
        BadSelector: there are such rows.
    """
    rows = [row for row in OPERATIONS if row.method in wanted and row.explicit and not row.never]
    kept = [f"{row.method} {row.template}" for row in rows if _takes_in(segments, row, below=True)]
    if kept:
        raise BadSelector(f"`{selector}`: a `**` takes in none of what is explicit", f"name it: {', '.join(kept)}")


def _alternatives(path: str) -> list[list[str]]:
    """Every path that ``|`` in one segment means, split into segments."""
    segments = path.split("/")[1:]
    options = [segment.split("|") for segment in segments]
    if sum(len(each) > 1 for each in options) > 1:
        raise BadSelector(f"`{path}` has `|` in more than one segment", "write two lines")
    paths: list[list[str]] = [[]]
    for each in options:
        paths = [[*done, segment] for done in paths for segment in each]
    return paths


def _takes_in(segments: list[str], row: Operation, *, below: bool) -> bool:
    rows = row.template.split("/")[1:]
    if len(segments) > len(rows) or (len(segments) < len(rows) and not below):
        return False
    return all(_same(mine, its) for mine, its in zip(segments, rows, strict=False))


def _same(mine: str, its: str) -> bool:
    return _PARAM.fullmatch(mine) is not None if its.startswith("{") else mine == its


_VERSION: Final = re.compile(r"/v[0-9]+(?:\.[0-9]+)?(?=/|$)")


def _no_row(selector: str, methods: str, path: str, *, below: str) -> tuple[str, str]:
    """What is wrong with a selector that takes in nothing, and what may be meant.

    ``path`` is without its ``/**``, which is ``below`` where it has one.
    """
    if (version := _VERSION.match(path)) is not None:
        return (
            f"`{selector}` has a version in its path",
            f"write {methods} {path[version.end() :]}{below}: it is for all of them",
        )
    if "?" in path:
        return (
            f"`{selector}` has a query",
            f"write {methods} {path.partition('?')[0]}: `only` and `grant` hold what it asks",
        )
    if re.search(r"\.\*|\^|\$$|[(\[\\+]", path) is not None:
        plain = re.sub(r"[()]", "", selector)
        meant = f"did you mean {plain}?" if _selects(plain) else ""
        rule = "there are no regular expressions: * is one parameter, /** all that is below"
        return f"`{selector}` is no path", meant or rule
    if "**" in path:
        return f"`{selector}` has `**` elsewhere than as `/**` at its end", _without_globstar(methods, path)
    if re.search(r"\|(?:[/|]|$)|/\|", selector):
        return f"`{selector}` has an alternative that is empty", "take out a `|`"
    listed = selector.replace(",", "|")
    if "," in path and _selects(listed):
        return f"`{selector}` has a comma", f"did you mean {listed}?"
    named = re.sub(r"(?<=/)[^/{}|]*[*?][^/{}|]*(?=/)|(?<=/)[^/{}|]*\*[^/{}|]*$", "{id}", path)
    segments = path.split("/")
    if named != path and "*" not in segments:
        return (
            f"`{selector}` has a name in its path",
            "write {id}, and hold names by `only: container:` (or volume, network, image)",
        )
    asking = "`sockproxy explain -- docker …` says which endpoints a command calls"
    return f"`{selector}` selects no endpoint of the Engine API", _nearest_selector(methods, path) or asking


def _selects(selector: str) -> bool:
    """Whether each alternative of a selector takes in a row that may be allowed."""
    methods, _, path = selector.partition(" ")
    wanted = METHODS if methods == "ANY" else frozenset(methods.split("|"))
    rows = [row for row in OPERATIONS if row.method in wanted and not row.never]
    below = path.endswith("/**")
    if not wanted <= METHODS or re.search(r"\|.*/.*\|", path):
        return False
    return all(
        any(_takes_in(segments, row, below=below) for row in rows)
        for segments in _alternatives(path.removesuffix("/**"))
    )


def _without_globstar(methods: str, path: str) -> str:
    """A hint at the selector that has a `*`, or a `/**` at its end, in the place of a `**`."""
    parameter = f"{methods} {path.replace('**', '*')}"
    above = path.partition("**")[0].rstrip("/")
    folder = f"{methods} {above}/**" if above else ""
    meant = next(filter(_selects, (parameter, folder) if not path.endswith("*") else (folder, parameter)), None)
    return f"did you mean {meant}?" if meant else "* is one parameter, and /** at the end all that is below"


_COMMANDS: Final = (
    (re.compile(r"/containers/run"), "POST /containers/create"),
    (re.compile(r"/containers/(?:ps|ls|list)"), "GET /containers/json"),
    (re.compile(r"/images/(?:ls|list)"), "GET /images/json"),
    (re.compile(r"/images(?:/[^/]+)?/pull"), "POST /images/create"),
    (re.compile(r"/containers/[^/]+/exec/start"), "POST /exec/{id}/start"),
    (re.compile(r"/(containers|networks|volumes|images)/([^/]+)/(?:rm|remove|delete)"), r"DELETE /\1/\2"),
    (re.compile(r"/(containers|images)/([^/]+)(?:/inspect)?"), r"GET /\1/\2/json"),
    (re.compile(r"/(networks|volumes)/([^/]+)/inspect"), r"GET /\1/\2"),
    (re.compile(r"/(networks|volumes)/(?:ls|list|json)"), r"GET /\1"),
    (re.compile(r"/system/(info|version|events)"), r"GET /\1"),
    (re.compile(r"/(containers|images)/json/.+"), r"GET /\1/json"),
)
"""Paths as docker's own commands are called, and their endpoints."""


def _nearest_selector(methods: str, path: str) -> str:
    """A hint at the row that may have been meant, or at all those below the path."""
    for meant in _likely(methods, path):
        if _selects(meant):
            return f"did you mean {meant}?"
    folder = path.removesuffix("/*").rstrip("/")
    is_folder = folder.count("/") == 1 and (folder != path or path.count("/") == 1)
    if is_folder and (found := _below(methods, folder, _methods(methods, path))):
        return found
    method = methods.split("|", maxsplit=1)[0]
    return _did_you_mean(nearest("GET" if method == "ANY" else method, path.lower()))


def _likely(methods: str, path: str) -> Iterator[str]:
    """The same path spelled otherwise, and endpoints that it is another name of."""
    tidy = re.sub("/+", "/", re.split("[#;]", path.lower())[0]).rstrip("/")
    yield f"{methods} {tidy}"
    named = re.sub("^/(images|plugins|distribution)/.+/", r"/\1/{name}/", tidy)
    yield f"{methods} {named}"
    yield f"{methods} {re.sub(r'/[{<:$][^/]*', '/{id}', tidy)}"
    *above, last = tidy.split("/")
    if last == "*" or (re.fullmatch(r"\{\w+\}", last) and len(above) > 2):
        yield f"{methods} {'/'.join(above)}/**"
    for form, meant in _COMMANDS:
        if form.fullmatch(tidy) is not None and not (meant.startswith("GET") and methods not in ("GET", "POST", "ANY")):
            yield re.sub(r"/(?:[{<:$][^/]*)(?=/|$)", "/{id}", form.sub(meant, tidy))


def _below(methods: str, folder: str, wanted: frozenset[str]) -> str:
    """A hint at the rows of a folder: the one that lists, or that makes, before all of them."""
    rows = [row for row in OPERATIONS if row.method in wanted and row.template.startswith(f"{folder}/")]
    named = [row for row in rows if not row.explicit] or rows
    if len(named) == 1:
        return f"did you mean {named[0].method} {named[0].template}?"
    first = next((row for row in rows if row.template.endswith(("/json", "/create")) and not row.params), None)
    if first is not None and methods in METHODS:
        return f"did you mean {methods} {first.template}? all that is below is {methods} {folder}/**"
    return f"did you mean {methods} {folder}/**?" if rows else ""


def _did_you_mean(nearest_row: str) -> str:
    """``; the nearest is GET /info`` as a question; nothing where there is none."""
    row = nearest_row.removeprefix("; the nearest is ")
    return f"did you mean {row}?" if row else ""
