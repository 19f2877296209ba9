"""The keys of the policy language, and what its names are made of."""

from __future__ import annotations

import re
from typing import Final

POLICY_KEYS: Final = ("version", "name", "about", "extends", "rules", "clients", "tests", "api", "mode")
RULE_KEYS: Final = ("id", "allow", "deny", "grant", "only", "limit", "require", "asking", "because")
CLIENT_KEYS: Final = ("name", "from", "unix-user", "certificate", "rules", "mode")
TEST_KEYS: Final = ("name", "request", "run", "body", "body-file", "engine", "client", "expect")
TEST_FILE_KEYS: Final = ("version", "policy", "tests")
WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
COMMA_KINDS: Final = frozenset({"exec", "label", "security-opt", "volume-driver"})
"""Kinds whose values may hold a comma, which inside `[…]` ends a word."""
