"""The kind of file system that a path is on.

Locks and atomic replacing cannot be relied on across a network.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

NETWORK_KINDS = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ceph",
        "glusterfs",
        "fuse.sshfs",
        "fuse.glusterfs",
        "lustre",
        "ncpfs",
    }
)
_MOUNTS = Path("/proc/self/mounts")


def network_kind(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """Return the network file system that `path` is on.

    `None` on a local one, and where the system does not tell.
    """
    try:
        table = os.fsdecode(mounts.read_bytes())
    except OSError:
        return None
    place, best, kind = str(path), "", None
    for line in table.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        mount = _unescaped(fields[1])
        inside = place == mount or place.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, fields[2]
    return kind if kind in NETWORK_KINDS else None


def _unescaped(mount: str) -> str:
    r"""Return the mount point with its escapes resolved: the table writes blanks as `\040` and the like."""
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), mount)
