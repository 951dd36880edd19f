"""How a key gets a new secret: its journal, the places where secrets are, the provider's side, and the saga of all."""
