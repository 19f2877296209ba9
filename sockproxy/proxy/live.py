"""The policy in force. It is swapped whole or not at all: a bad new one leaves the old one, loudly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sockproxy.errors import PolicyError
from sockproxy.policy.load import Policy, load

_log = logging.getLogger("sockproxy")


class Live:
    """Holds the policy that judges the next request."""

    def __init__(self, source: str | Path, loader: Callable[[str | Path], Policy] = load) -> None:
        """Load the first policy.

        Raises:
            PolicyError: it has mistakes; all are in the error.
        """
        self._source = source
        self._load = loader
        self._told: list[Callable[[], None]] = []
        self.policy = loader(source)

    def when_swapped(self, callback: Callable[[], None]) -> None:
        """Call back after each swap."""
        self._told.append(callback)

    def reload(self) -> bool:
        """Load the policy again, and put it in force if it has no mistake. False where the old one stays."""
        try:
            policy = self._load(self._source)
        except PolicyError as error:
            _log.error("the new policy is not in force, `%s` stays: it has mistakes\n%s", self.policy.name, error)
            return False
        before, self.policy = self.policy, policy
        for callback in self._told:
            callback()
        change = "unchanged" if policy.digest == before.digest else f"was {before.digest[:12]}"
        _log.warning("policy `%s` is in force: %s (%s)", policy.name, policy.digest[:12], change)
        return True
