"""The rotation of a key's secret: its journal, the places of secrets, the provider's side, and the steps."""
