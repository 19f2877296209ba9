"""A planted secret is never seen again; what an audit is for still is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockproxy.model import Ask
from sockproxy.redaction import redact, redact_ask, redact_path, redact_value

SECRET = "hunter2-Zq9"

# Characters that a URL's user part, a mount option or a JSON string may hold; no white space, no comma.
secrets = st.text("abcXYZ019!$%&'()*+-.;<>[]^_`{|}~:@/?#\\\"", max_size=24).map(lambda salt: SECRET + salt)
anything = st.text(max_size=40)


def one(name: str, value: str) -> str:
    ((_, told),) = redact([(name, value)])
    return told


QUERIES = [
    ("fromSrc", f"https://user:{SECRET}@example.com/x.tar", "https://***@example.com/x.tar"),
    ("fromSrc", f"https://{SECRET}@example.com/x.tar", "https://***@example.com/x.tar"),
    ("remote", f"https://u:{SECRET}@git.example.com/r.git#main:dir", "https://***@git.example.com/r.git#main:dir"),
    ("remote", f"https://u:a/{SECRET}@git.example.com/r.git", "https://***@git.example.com/r.git"),
    ("remote", f"https://u:{SECRET}:/@git.example.com/r.git", "https://***@git.example.com/r.git"),
    ("remote", f"https://u:/{SECRET}@git.example.com/r.git", "https://***@git.example.com/r.git"),
    ("remotes", f"https://a,https://u:{SECRET}@b", "https://a,https://***@b"),
    ("remote", f"https://u:a@{SECRET}@git.example.com/r.git", "https://***@git.example.com/r.git"),
    ("remote", f"https://example.com/x?access_token={SECRET}", "https://example.com/x?access_token=***"),
    ("authconfig", SECRET, "***"),
    ("authconfig", json.dumps({"password": SECRET}), "***"),
    ("X-Registry-Auth", SECRET, "***"),
    ("buildargs", json.dumps({"NPM": SECRET, "EMPTY": None}), '{"NPM":"***","EMPTY":"***"}'),
    ("buildargs", f"NPM={SECRET}", "NPM=***"),
    ("buildargs", f'{{"NPM": "{SECRET}"', "***"),
    ("buildargs", f' {{"NPM": "{SECRET}"}}', '{"NPM":"***"}'),
    ("buildargs", SECRET, "***"),
    ("filters", json.dumps({"label": {f"token={SECRET}": True}}), '{"label":{"token=***":"***"}}'),
    ("BuildArgs", json.dumps({"NPM": SECRET}), '{"NPM":"***"}'),
    ("Env", json.dumps([f"A={SECRET}", "B"]), '["A=***","***"]'),
    ("env", f"A={SECRET}", "A=***"),
    ("changes", f"ENV A={SECRET}", "ENV ***"),
    ("changes", f"  env A {SECRET}", "ENV ***"),
    ("changes", f"ONBUILD ENV A={SECRET}", "ONBUILD ***"),
    ("changes", f"CMD true\nENV A={SECRET}", "CMD ***"),
    ("changes", SECRET, "***"),
    ("AuthConfig", json.dumps({"username": "u", "password": SECRET}), "***"),
    ("HostConfig", json.dumps({"LogConfig": {"Config": {"splunk-token": SECRET}}}), None),
    ("DriverOpts", json.dumps({"o": f"addr=10.0.0.1,password={SECRET},ro"}), '{"o":"addr=10.0.0.1,password=***"}'),
    ("DriverOpts", json.dumps({"device": f"//u:{SECRET}@nas/share"}), '{"device":"//***@nas/share"}'),
    ("outer", json.dumps({"inner": json.dumps({"Env": [f"A={SECRET}"]})}), None),
    ("x", f'say "password": "{SECRET}"', 'say "password":***'),
    (f"https://u:{SECRET}@h/", "", ""),
]


@pytest.mark.parametrize(("name", "value", "told"), QUERIES, ids=lambda value: str(value)[:40])
def test_secrets_in_a_query_are_hidden(name: str, value: str, told: str | None) -> None:
    assert SECRET not in str(list(redact([(name, value)])))
    if told is not None:
        assert one(name, value) == told


PLAIN = [
    ("all", "1"),
    ("filters", '{"label":["ci=jenkins"],"status":{"running":true}}'),
    ("t", "registry.example.com/ci/token-service:1.2"),
    ("fromImage", "python@sha256:4dc916"),
    ("names", "alpine:3"),
    ("changes", 'CMD ["sh","-c","exit 0"]'),
    ("since", "2026-01-31T12:00:00Z"),
    ("author", "Ada <ada@example.com>"),
    ("dockerfile", "a//b"),
    ("remote", "git@github.com:o/r.git"),
    ("remote", "https://example.com:8443/r.git@v1"),
    ("authconfig", ""),
]


@pytest.mark.parametrize(("name", "value"), PLAIN, ids=lambda value: value[:40])
def test_what_holds_no_secret_is_shown_as_it_came(name: str, value: str) -> None:
    assert one(name, value) == value


ASKS = [
    ("volume-driver", f"local o=addr=nas,username=u,password={SECRET}", "local o=addr=nas,username=u,password=***"),
    ("volume-driver", f"local o=user=u%{SECRET}", "local o=user=u%***"),
    ("volume-driver", f"local device=//u:{SECRET}@nas/share", "local device=//***@nas/share"),
    ("volume-driver", f"rclone s3-secret-access-key={SECRET}", "rclone s3-secret-access-key=***"),
    ("log-driver", f"splunk splunk-token={SECRET}", "splunk splunk-token=***"),
    ("log-driver", f"gelf gelf-address=udp://u:{SECRET}@h:1", "gelf gelf-address=udp://***@h:1"),
    ("import", f"https://u:{SECRET}@h/x.tar", "https://***@h/x.tar"),
    ("build", f"remote=https://{SECRET}@h/r.git", "remote=https://***@h/r.git"),
    ("build", f"output=type=registry,registry.token={SECRET}", "output=type=registry,registry.token=***"),
    ("label", f"app.password={SECRET}", "app.password=***"),
    ("registry", f"https://u:{SECRET}@registry.example.com", "https://***@registry.example.com"),
    ("exec", f"git clone https://u:{SECRET}@h/r.git", "git clone https://***@h/r.git"),
    ("query", f"authconfig={SECRET}", "authconfig=***"),
    ("field", f'Env=["A={SECRET}"]', 'Env=["A=***"]'),
    ("field", f"Env[0]=A={SECRET}", "Env[0]=A=***"),
    ("field", f"HostConfig.LogConfig.Config[splunk-token]={SECRET}", "HostConfig.LogConfig.Config[splunk-token]=***"),
    ("field", "HostConfig.New=5", "HostConfig.New=5"),
    ("field", f"AuthConfig.Password={SECRET}", "AuthConfig.Password=***"),
    ("bind", "/srv/token=1", "/srv/token=1"),
    ("exec", "sh -c 'key=1 exec true'", "sh -c 'key=1 exec true'"),
    ("image", "docker.io/library/python:3.12", "docker.io/library/python:3.12"),
    ("secret", "web-db", "web-db"),
]


@pytest.mark.parametrize(("kind", "value", "told"), ASKS, ids=lambda value: value[:40])
def test_secrets_in_an_ask_are_hidden(kind: str, value: str, told: str) -> None:
    assert redact_ask(Ask(kind, value, "")) == told


PATHS = [
    ("/containers/web/json", "/containers/web/json"),
    ("/images/registry.example.com/a@sha256:9f/json", "/images/registry.example.com/a@sha256:9f/json"),
    ("/images/50%25/json", "/images/50%25/json"),
    (f"/v1.41/build?buildargs={SECRET}", "/v1.41/build?***"),
    (f"http://u:{SECRET}@h/info", "http://***@h/info"),
    (f"/images/https:%2F%2Fu:{SECRET}%40h/json", "/images/https://***@h/json"),
]


@pytest.mark.parametrize(("path", "told"), PATHS)
def test_secrets_in_a_path_are_hidden(path: str, told: str) -> None:
    assert redact_path(path) == told


@given(secrets, anything)
def test_a_password_in_a_url_never_appears(secret: str, around: str) -> None:
    # A raw `?`, `#` or `/` in a password is a mistake that Docker would not accept; it must not be recorded either.
    url = f"{around} https://user:{secret}@example.com/x {around}"
    for told in (one("fromSrc", url), redact_value(url), redact_ask(Ask("exec", url, "")), redact_path(url)):
        assert SECRET not in told


@given(secrets, st.sampled_from(["Env", "env", "BuildArgs", "password", "authconfig", "identitytoken"]), anything)
def test_a_secret_at_any_depth_of_json_never_appears(secret: str, key: str, other: str) -> None:
    named: object = [f"A={secret}"] if key.lower() == "env" else {"A": secret}
    for value in ({key: named}, [{"x": {key: named}}, other], {other + "_": [{key: named}]}):
        assert SECRET not in one("options", json.dumps(value))


@given(st.text("pastokenwrd=,:%/@\"' {[x\\", max_size=400), st.sampled_from(["q", "env", "changes", "buildargs"]))
def test_odd_shapes_are_no_error(text: str, name: str) -> None:
    list(redact([(name, text), (text, name)]))
    redact_path(text)
    redact_value(text)


@given(st.text())
def test_what_is_shown_is_printable_and_bounded(text: str) -> None:
    for told in (redact_value(text), redact_path(text), one("q", text), redact_ask(Ask("exec", text * 40, ""))):
        assert told.isprintable()
        assert len(told) <= 1025  # the cut itself is a character
