"""Tests against real, disposable Docker Engines; ``make engines`` starts two."""
