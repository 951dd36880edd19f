"""The log of decisions: a file of JSON lines that many processes add to, and its older parts."""
