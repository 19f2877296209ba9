"""Judging a request, step by step, as the shell does it. Pure: what must be asked of the engine is said, not done.

recognise   head  → request, row, parameters          Malformed, UnknownOperation
early       what can be refused before the body       Deny
call        body  → the call                          Malformed, TooLarge, VersionRefused
judge       call  → Allow, Deny, Absent, or Needs: look-ups to make before it is judged again
observe     call  → the same, or WouldDeny: what a rule would refuse goes on, and is recorded
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sockproxy.decide import decide, deny_row, unconditional_deny
from sockproxy.docker import body as json_body
from sockproxy.docker.asks import KINDS
from sockproxy.docker.call import Call
from sockproxy.docker.inspectors import INSPECTED, inspect
from sockproxy.docker.operations import Operation, identify
from sockproxy.docker.request import canonical, negotiate
from sockproxy.errors import Code, Malformed, Refusal, VersionRefused
from sockproxy.model import Absent, Context, Deny, Inspection, Json, Needs, Observed, Request, Verdict, WouldDeny
from sockproxy.policy.load import Client, Policy
from sockproxy.printable import printable

ROUNDS: Final = 7
"""How often a call is judged again with more facts, before that counts as a fault of ours."""


def recognise(
    method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]
) -> tuple[Request, Operation, dict[str, str]]:
    """The head of a request, in canonical form, and the row of the Engine API table that it selects.

    Raises:
        Malformed: the head is ambiguous.
        UnknownOperation: no row takes it in.
    """
    request = canonical(method, target, headers)
    operation, params = identify(request.method, request.path)
    return request, operation, params


def early(
    request: Request, operation: Operation, policy: Policy, context: Context, client: Client | None
) -> Deny | None:
    """What can be refused before the body is read, in either mode; None where the body is worth reading.

    A row that no rule allows is refused here only where nobody could say what the call asks: otherwise the denial
    says what a rule would have to grant.

    Raises:
        VersionRefused: the API version is out of range.
    """
    negotiate(request.version, policy.api_min, policy.api_max, context)
    if (denied := unconditional_deny(operation, policy)) is not None:
        return denied
    if operation.name not in INSPECTED and not may_be_allowed(operation, policy, client):
        return deny_row(operation, policy)
    return None


def call(
    request: Request, operation: Operation, params: dict[str, str], body: bytes | None, policy: Policy, context: Context
) -> Call:
    """The call that a head and a whole body make. ``body`` is None or empty where none came.

    Raises:
        Malformed: the JSON is wrong or ambiguous, or a body came where none is read.
        TooLarge: the JSON is too deep or has too many values.
        VersionRefused: the API version is out of range.
    """
    version = negotiate(request.version, policy.api_min, policy.api_max, context)
    parsed = _read(request, operation, body) if body else None
    return Call(request=request, operation=operation, params=params, version=version, body=parsed)


def _read(request: Request, operation: Operation, body: bytes) -> Json:
    """The JSON of a row that reads one; nothing where a client is known to send its options twice."""
    if operation.body == "json":
        if not _says_json(request):
            raise Malformed("a JSON body needs `Content-Type: application/json`")
        return json_body.parse(body)
    # dockerode and testcontainers-node repeat every option in the body of these rows (docker-modem, `dial`);
    # the engine reads none, so none is forwarded. Anywhere else a body is a way to be understood differently:
    # engines up to 25 apply one on `start` below API 1.24 (moby v20.10, container_routes.go:187).
    # An object without a key says nothing; Ansible's community.docker sends one with every POST that has no options,
    # and engines take one on `start`, too (the same line: what is shorter than seven bytes can be no HostConfig).
    if _says_json(request) and (json_body.parse(body) == {} or operation.echo):
        return None
    raise Malformed(f"{operation.method} {operation.template} takes no body")


def _says_json(request: Request) -> bool:
    media_type = (request.header("content-type") or "").partition(";")[0]
    return media_type.strip().lower() == "application/json"


def judge(the_call: Call, policy: Policy, context: Context, client: Client | None) -> Verdict | Needs:
    """The verdict on a call, or the look-ups that it needs first.

    Raises:
        Malformed: a value in the body has the wrong type, or two spellings of one key came.
    """
    operation = the_call.operation
    if not may_be_allowed(operation, policy, client):
        return _deny_unasked(the_call, policy, context)
    inspection = inspect(the_call, context, policy.held(operation.name, client))
    return _unready(inspection) or decide(operation, inspection.asks, inspection.forward, policy, client)


def observe(the_call: Call, policy: Policy, context: Context, client: Client | None) -> Observed | Needs:
    """The verdict where the policy only observes: what a rule could allow goes on, whether one does or not.

    Everything is looked up that any rule could hold, so that the record says whose a thing is. Refused all the same are
    explicit denies and what no grant could allow, sockproxy's own container above all.

    Raises:
        Malformed: as `judge`.
    """
    inspection = inspect(the_call, context, _EVERYTHING)
    verdict = _unready(inspection) or decide(the_call.operation, inspection.asks, inspection.forward, policy, client)
    if isinstance(verdict, Deny) and verdict.code in _OBSERVABLE and all(ask.grantable for ask in verdict.asks):
        return WouldDeny(verdict, inspection.forward)
    return verdict


_EVERYTHING: Final = frozenset(KINDS)
_OBSERVABLE: Final[frozenset[Code]] = frozenset({"no_rule", "ask_refused", "not_owner"})
"""Codes of what another rule, or a grant in one, would allow."""


def _unready(inspection: Inspection) -> Needs | Absent | None:
    """What is to be done before asks can be judged, or instead."""
    if inspection.needs:
        return Needs(inspection.needs)
    if inspection.absent is not None:
        return Absent(inspection.absent, inspection.asks)
    return None


def may_be_allowed(operation: Operation, policy: Policy, client: Client | None) -> bool:
    """Whether some rule allows the row to this client. Where none does, the engine need not be asked anything."""
    return operation.always or bool(policy.rules_for(operation.name, client))


def _deny_unasked(the_call: Call, policy: Policy, context: Context) -> Deny:
    """The denial of a row that no rule allows, with what can be said of its asks without any look-up."""
    try:
        inspection = inspect(the_call, context, frozenset())
    except Malformed:
        return deny_row(the_call.operation, policy)
    return deny_row(the_call.operation, policy, inspection.asks)


def refusal(error: Refusal) -> Deny:
    """The denial that an error means."""
    if isinstance(error, VersionRefused):
        return Deny(code=error.code, status=error.status, message=error.message)
    return Deny(code=error.code, status=error.status, message=f"sockproxy: {printable(error.message)}")
