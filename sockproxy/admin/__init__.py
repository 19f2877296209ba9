"""The admin listener's pages: health, readiness, metrics and the live page. Never on the listeners of Docker's clients.

app.py     the routes
guard.py   who is answered at all
page.py    the live page, a pure function of what it shows; page.html and page.css beside it
"""

from sockproxy.admin.app import Readiness, app
from sockproxy.admin.page import Status

__all__ = ["Readiness", "Status", "app"]
