"""The certificate authorities that TLS trusts.

httpx has a function for this as well, but its import takes longer than a small answer.
"""

from __future__ import annotations

import ssl

from lollmsbot_keys.edges.environment.variables import Environment
from lollmsbot_keys.errors import ConfigError


def certificates() -> ssl.SSLContext:
    """Return the TLS context that trusts the authorities of SSL_CERT_FILE, else of SSL_CERT_DIR, else of certifi.

    Raises:
        ConfigError: they cannot be loaded.
    """
    environment = Environment.here()
    file, folder = environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR")
    if file is None and folder is None:
        import certifi

        file = certifi.where()
    try:
        context = ssl.create_default_context(cafile=file, capath=None if file else folder)
    except OSError as error:
        raise ConfigError(
            f"The certificates for HTTPS cannot be loaded ({error.strerror or type(error).__name__}). "
            "Check SSL_CERT_FILE and SSL_CERT_DIR."
        ) from None
    context.set_alpn_protocols(["http/1.1"])
    return context
