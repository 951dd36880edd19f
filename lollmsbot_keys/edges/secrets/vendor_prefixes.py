"""Whose key a secret looks like, where companies mark theirs. It is said in a word; nothing of the secret is quoted."""

from __future__ import annotations

from lollmsbot_keys.core.model.config import Provider
from lollmsbot_keys.core.security.key_forms import OPENROUTER, company_of
from lollmsbot_keys.edges.secrets.secret import Secret


def looks_like_another(secret: Secret) -> str:
    """The company whose key this seems to be, if that is not the secret's own provider; else ""."""
    company = company_of(secret.reveal())
    own = OPENROUTER if secret.provider is Provider.OPENROUTER else ""
    return "" if company == own else company
