"""A learned policy allows what was seen, needs every word of it, and gives no power that was not seen."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from time import monotonic

import pytest

from sockproxy.audit import fragment
from sockproxy.decide import rule_on
from sockproxy.docker.asks import KINDS
from sockproxy.docker.operations import BY_NAME
from sockproxy.judge import judge, observe
from sockproxy.learn import Collected, Learned, learn
from sockproxy.learn.evidence import MOST, Seen, word_of
from sockproxy.learn.proof import prove
from sockproxy.model import Absent, Ask, Missing, Observed
from sockproxy.policy.load import loads
from sockproxy.records import Record, read
from tests.recording import Sent, corpus, judged

OBSERVED = loads("version: 1\nmode: observe\n")


@cache
def records() -> tuple[tuple[Sent, Observed, Record], ...]:
    """Every call of the corpus, attacks too, as observing records it."""
    return tuple(
        (sent, done.verdict, read(done.line)) for sent in corpus() for done in [judged(sent, OBSERVED, observe)]
    )


def collected(chosen: list[Record]) -> Collected:
    found = Collected()
    for record in chosen:
        found.record(record)
    return found


GROUPED = frozenset({"bind", "publish", "namespace"})
"""Powers whose patterns may take in a neighbour of what was seen."""


@pytest.mark.parametrize("seed", range(12))
def test_whatever_was_seen_is_allowed_and_nothing_can_be_spared(seed: int) -> None:
    rng = random.Random(seed)
    every = [
        record for _, _, record in records() if record.verdict in ("allow", "would_deny", "absent") and record.whole
    ]
    found = collected(rng.sample(every, rng.choice((3, 12, 60, 200))))
    if not found.calls:
        return
    done = learn(found)
    assert done.proof.refused == (), done.text
    assert done.proof.spare == (), done.text
    assert done.proof.holds
    assert done.policy.digest == loads(done.text, "learned.yaml").digest
    _gives_no_other_power(done, found, every)


def _gives_no_other_power(done: Learned, found: Collected, every: list[Record]) -> None:
    seen = {_power(ask) for call in found.calls for ask in call.asks}
    for record in every:
        assert record.operation is not None
        powers = [
            ask for ask in record.asks
            if KINDS[ask.kind].section == "grant" and not ask.plain and ask.kind not in GROUPED
        ]  # fmt: skip
        unseen = [ask for ask in powers if _power(ask) not in seen]
        # A higher count of GPUs, and `ALL`, take in what is below them.
        unseen = [ask for ask in unseen if ask.kind not in ("gpu", "capability", "device", "resource")]
        if unseen:
            assert rule_on(record.operation, record.asks, done.policy, None).code is not None, (done.text, unseen)


def _power(ask: Ask) -> tuple[str, str]:
    """Of some kinds the language has no word for one value: `privileged` is `any` or `none`."""
    return ask.kind, "" if KINDS[ask.kind].form == "any" else ask.value


def call(name: str, *asks: Ask, times: int = 1, client: str = "anyone") -> tuple[Seen, int, str]:
    return Seen(BY_NAME[name], asks), times, client


def seen(*calls: tuple[Seen, int, str]) -> Collected:
    found = Collected()
    for each, times, client in calls:
        for _ in range(times):
            found.add(each.operation, each.asks, client=client, verdict="would_deny", time="2026-01-31T12:00:00.123Z")
    return found


CREATE = call(
    "ContainerCreate",
    Ask("container", "ci-1", "?name", known=True),
    Ask("image", "docker.io/library/python:3.12", "Image"),
    Ask("bind", "/srv/ci/a", "HostConfig.Binds[0]"),
    Ask("network", "bridge", "HostConfig.NetworkMode", known=True),
    Ask("limit", "memory", "HostConfig.Memory", amount=2**30),
    Ask("limit", "pids", "HostConfig.PidsLimit"),
    Ask("require", "read-only", "HostConfig.ReadonlyRootfs"),
    Ask("require", "non-root", "User"),
    Ask("require", "cap-drop-all", "HostConfig.CapDrop"),
    times=3,
    client="jenkins",
)
STOP = call("ContainerStop", Ask("container", "ci-1", "path", known=True), client="cron")


def test_a_policy_reads_as_a_person_would_write_it() -> None:
    text = learn(seen(CREATE, STOP, call("ContainerList", times=2), call("ContainerInspect", *STOP[0].asks))).text
    assert (
        text
        == """\
# Learned from 7 calls: jenkins 3, anyone 3, cron 1.
# The first was made at 2026-01-31 12:00, the last at 2026-01-31 12:00 (UTC).
# Read it before you use it, what says REVIEW above all. `sockproxy check` tells what it gives away.
version: 1
name: learned
about: "What jenkins, anyone and cron did while sockproxy looked on, and no more."
rules:
  - id: look                                                    # 2 calls: anyone 2
    allow:
      - GET /containers/json                                    # 2 calls
  - id: run                                                     # 5 calls: jenkins 3, anyone 1, cron 1
    allow:
      - POST /containers/create                                 # 3 calls
      - GET /containers/{id}/json                               # 1 call
      - POST /containers/{id}/stop                              # 1 call
    grant:
      bind: /srv/ci/a                                           # 3 calls; REVIEW: it writes what is there, and connects to it
    only:
      container: ci-1                                           # 5 calls
      network: bridge                                           # 3 calls
      image: python:3.12                                        # 3 calls
      volume: none                                              # nothing was seen of it
      label: none
      restart: none
      extra-host: none
      dns: none
    limit: {memory: 1g}
    require: no-new-privileges
"""
    )


def test_who_only_looks_at_other_containers_has_a_rule_for_that() -> None:
    looked = call("ContainerLogs", Ask("container", "other", "path", known=True))
    policy = learn(seen(CREATE, STOP, looked)).policy
    assert [rule.id for rule in policy.rules] == ["look-at-containers", "run"]
    assert rule_on(BY_NAME["ContainerStop"], looked[0].asks, policy, None).code == "not_owner"


def test_a_limit_is_the_most_that_was_set_and_none_where_one_set_none() -> None:
    more = call("ContainerCreate", Ask("limit", "memory", "HostConfig.Memory", amount=2**31))
    unlimited = call("ContainerCreate", Ask("limit", "memory", "HostConfig.Memory", amount=-1))
    assert dict(learn(seen(CREATE, more)).policy.rules[0].limit) == {"memory": 2**31}
    assert dict(learn(seen(CREATE, unlimited)).policy.rules[0].limit) == {}


def test_the_tunnel_stands_alone_and_is_marked() -> None:
    grpc = call("Grpc", Ask("tunnel", "grpc", "path"), Ask("namespace", "network=host", "path"))
    done = learn(seen(CREATE, grpc))
    run, tunnel = done.policy.rules
    assert (run.id, tunnel.id) == ("run", "tunnel")
    assert "namespace" not in run.grant
    assert "tunnel: grpc" in done.text
    assert "REVIEW: builds are not judged" in done.text


def test_what_leads_to_the_host_is_marked_and_never_widened() -> None:
    binds = [call("ContainerCreate", Ask("bind", f"/etc/{name}", "HostConfig.Binds[0]")) for name in "abcd"]
    done = learn(seen(*binds, call("ContainerCreate", Ask("privileged", "container", "HostConfig.Privileged"))))
    assert "bind: [/etc/a, /etc/b, /etc/c, /etc/d]" in done.text
    line = next(line for line in done.text.splitlines() if "privileged: any" in line)
    assert line.endswith("REVIEW: a privileged container is root on the host")


def test_what_no_word_means_stays_free_and_is_said() -> None:
    removed = call("VolumeDelete", Ask("volume", "c" * 64, "path"))
    done = learn(seen(removed))
    assert "volume" not in done.policy.rules[0].only
    assert "REVIEW: `volume` stays free: no pattern means just what was seen, such as `cccc" in done.text


def test_what_was_refused_teaches_nothing_and_is_counted() -> None:
    found = Collected()
    for sent, _, _ in records()[:40]:
        found.record(read(judged(sent, loads("version: 1\nextends: traefik\n"), judge).line))
    assert found.refused > 0
    assert all(each.operation.name.startswith(("Container", "System")) for each in found.calls)
    found.add(BY_NAME["ContainerList"], (), client="a", verdict="would_deny", time="")
    assert f"# Not learned from: {found.refused} calls refused when they were recorded." in learn(found).text


def test_of_what_is_not_there_the_row_is_learned() -> None:
    found = Collected()
    found.add(BY_NAME["ContainerInspect"], (), client="a", verdict=word_of(Absent(Missing(404, "no"))), time="")
    policy = learn(found).policy
    assert [pattern.text for pattern in policy.rules[0].only["container"]] == ["none"]
    assert policy.rules[0].operations == {"ContainerInspect"}


def test_ping_and_version_need_no_rule() -> None:
    with pytest.raises(ValueError, match="nothing was seen"):
        learn(seen(call("SystemPing"), call("SystemVersion")))


def test_too_many_different_calls_are_counted_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST >= 10_000
    monkeypatch.setattr("sockproxy.learn.evidence.MOST", 1)
    found = seen(CREATE, STOP)
    assert (len(found.calls), found.beyond) == (1, 1)
    assert "1 call, as there were too many different ones before" in learn(found).text


def test_a_proof_fails_where_a_word_is_taken_or_added() -> None:
    found = seen(CREATE, STOP)
    done = learn(found)
    assert prove(done.policy, found).holds
    without = prove(loads(done.text.replace("bind: /srv/ci/a ", "bind: none ")), found)
    assert [each.operation.name for each in without.refused] == ["ContainerCreate"]
    wider = prove(loads(done.text.replace("image: python:3.12 ", "image: [python:3.12, alpine] ")), found)
    assert wider.spare == ("rule `run`: only image: alpine",)
    more = prove(loads(done.text.replace("/stop", "/stop|kill")), found)
    assert more.spare == ("rule `run`: POST /containers/{id}/kill",)


def _recorded(*asks: Ask) -> Record:
    """A create with these asks, as it comes back out of an audit line."""
    told = fragment(
        client="a", operation="ContainerCreate", method="POST", path="/containers/create", query=(),
        verdict="would_deny", code="no_rule", rule=None, asks=asks, refused=(), policy="9f", engine_version=(1, 51),
    )  # fmt: skip
    return read(b'{"time":"2026-01-31T12:00:00.123Z","peer":"unix",' + told + b"}")


def test_what_was_cut_or_hidden_in_the_line_is_taken_for_anything_where_it_is_free() -> None:
    command, label = "sh -c '" + "echo a; " * 200 + "'", "traefik.auth=user:hunter2"
    long, secret = Ask("exec", command, "Cmd"), Ask("label", label, "Labels[traefik.auth]")
    found = collected([_recorded(Ask("container", "x", "?name", known=True), secret)])
    found.record(replace(_recorded(long), operation=BY_NAME["ContainerExec"]))
    done = learn(found)
    assert done.proof.holds
    run = done.policy.rules[0]
    assert any(pattern.matches(long) for pattern in run.only["exec"])
    assert any(pattern.matches(secret) for pattern in run.only["label"])
    assert not any(pattern.matches(Ask("exec", "sh -c 'id'", "Cmd")) for pattern in run.only["exec"])
    assert "REVIEW: a secret stands here" in done.text


@pytest.mark.parametrize(
    "ask",
    [
        Ask("volume-driver", "local o=addr=10.0.0.1,password=hunter2", "DriverOpts"),
        Ask("bind", "/srv/" + "x" * 2000, "HostConfig.Binds[0]"),
    ],
    ids=["hidden", "cut"],
)
def test_a_power_that_was_cut_or_hidden_is_not_learned(ask: Ask) -> None:
    found = collected([_recorded(ask)])
    assert (found.seen, found.partial) == (0, 1)


def test_a_secret_that_was_seen_is_marked() -> None:
    done = learn(
        seen(call("VolumeCreate", Ask("volume-driver", "local o=addr=10.0.0.1,password=hunter2", "DriverOpts")))
    )
    assert done.proof.holds
    assert "REVIEW: a secret stands here" in done.text


def create(name: str, image: str, *more: Ask, times: int = 1) -> tuple[Seen, int, str]:
    asks = Ask("container", name, "?name", known=True), Ask("image", f"docker.io/library/{image}", "Image")
    return call("ContainerCreate", *asks, *more, times=times)


PRIVILEGED = Ask("privileged", "container", "HostConfig.Privileged")


def test_what_leads_to_the_host_is_given_to_those_that_asked_it() -> None:
    plain, powerful = create("web", "app:1"), create("dind", "docker:27", PRIVILEGED)
    entered = call("ContainerExec", Ask("container", "dind", "path", known=True), Ask("exec", "id", "Cmd"), PRIVILEGED)
    stopped = call("ContainerStop", Ask("container", "dind", "path", known=True))
    done = learn(seen(plain, powerful, entered, stopped))
    assert done.proof.holds
    assert [rule.id for rule in done.policy.rules] == ["run", "run-on-host"]
    mixed = create("web", "app:1", PRIVILEGED)[0]
    assert rule_on(mixed.operation, mixed.asks, done.policy, None).code is not None
    assert "privileged" not in done.policy.rules[0].grant


def test_what_leads_to_the_host_stands_with_the_rest_where_that_is_no_less() -> None:
    # The plain one is what the other may do as well: one rule says it all.
    done = learn(seen(create("web", "app:1"), create("web", "app:1", PRIVILEGED)))
    assert done.proof.holds
    assert [rule.id for rule in done.policy.rules] == ["run"]


def test_a_prune_of_images_leaves_the_others_held() -> None:
    prune, remove = Ask("image", "(prune)", "?filters"), Ask("image", "docker.io/library/app:x", "path")
    done = learn(seen(call("ImagePrune", prune), call("ImageDelete", remove)))
    assert done.proof.holds
    assert [pattern.text for pattern in done.policy.rules[0].only["image"]] == ["(prune)", "app:x"]


def test_a_label_that_the_image_brings_needs_no_word() -> None:
    done = learn(seen(create("web", "app:1", Ask("label", "maintainer=x", "image", plain=True))))
    assert done.proof.holds
    assert [pattern.text for pattern in done.policy.rules[0].only["label"]] == ["none"]


def test_a_number_that_may_count_is_told() -> None:
    done = learn(seen(call("ImageTag", Ask("tag", "docker.io/library/app:7", "?repo"))))
    assert "# REVIEW: if `app:7` has the number of a build, write `app:*` here and where it is run" in done.text


def test_files_may_be_read_the_newest_first() -> None:
    found = Collected()
    for time in ("2026-02-01T00:00:00.000Z", "2026-01-31T12:00:00.123Z"):
        found.add(BY_NAME["ContainerList"], (), client="a", verdict="would_deny", time=time)
    assert "# The first was made at 2026-01-31 12:00, the last at 2026-02-01 00:00 (UTC)." in learn(found).text


def test_a_proof_says_what_judging_says() -> None:
    found = collected([record for _, _, record in records() if record.verdict != "deny" and record.whole])
    policy = loads(learn(found).text.replace("busybox", "alpine").replace("/srv", "/opt"), "x")
    refused = tuple(each for each in found.calls if rule_on(each.operation, each.asks, policy, None).code is not None)
    assert refused
    assert prove(policy, found).refused == refused


@pytest.mark.parametrize("kind", ["bind", "publish", "label"])
def test_thousands_of_different_words_are_learned_in_seconds(kind: str) -> None:
    words = {
        "bind": [f"/srv/{number:x}y/data" for number in range(3000)],
        "publish": [f"127.0.0.1:{2 * number + 1024}/tcp" for number in range(3000)],
        "label": [f"k{number:x}y=v" for number in range(3000)],
    }[kind]
    began = monotonic()
    done = learn(seen(*(create("web", "app:1", Ask(kind, word, "x")) for word in words)))
    assert done.proof.holds
    assert monotonic() - began < 30  # a tenth of that; minutes where each word is held against each other


def test_a_long_list_of_what_leads_to_the_host_is_marked_at_its_beginning() -> None:
    binds = [create("web", "app:1", Ask("bind", f"/srv/{number:x}y/data", "x")) for number in range(40)]
    marked = [line for line in learn(seen(*binds)).text.splitlines() if "REVIEW" in line and line.startswith("  ")]
    assert len(marked) == 1
    assert marked[0].endswith("it writes what is there, and connects to it; and so with the 39 below")
