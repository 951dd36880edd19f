"""The company that a secret seems to belong to, where companies mark their keys.

Only its name is told; no part of the secret is quoted.
"""

from __future__ import annotations

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.security.key_forms import OPENROUTER, company_of
from lollmsbot_keys.edges.secrets.secret import Secret


def looks_like_another(secret: Secret) -> str:
    """Return the company whose key this seems to be; "" if that is the secret's own provider, or unknown."""
    company = company_of(secret.reveal())
    own = OPENROUTER if secret.provider is Provider.OPENROUTER else ""
    return "" if company == own else company
