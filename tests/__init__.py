"""The tests, a room for each room of the package. A package, so that ``tests.docker`` is never taken for docker-py."""
