"""Data shipped with the package: the defaults of every setting."""
