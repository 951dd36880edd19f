"""HTTP as the providers need it: it knows whether a byte has left, and gives every end a name.

`Http` sends an `Exchange` and gives a `Response`; what goes wrong is a `WireError`. `event_stream` reads answers that
come in pieces. Nothing outside knows of h11 or httpx.
"""

from __future__ import annotations

from lollmsbot_keys.edges.http.exchange import Broken, Exchange, Response, Silent, Stalled, Unsent, WireError
from lollmsbot_keys.edges.http.pool import Http

__all__ = ["Broken", "Exchange", "Http", "Response", "Silent", "Stalled", "Unsent", "WireError"]
