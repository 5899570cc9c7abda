"""Packs a bundle's directory: `python3 -m demonstrator.provisioning.pack DIR` writes NAME-VERSION.zip."""

import io
import sys
import zipfile
from itertools import accumulate
from pathlib import Path

from demonstrator.lib import codec
from demonstrator.platform import manifest
from demonstrator.platform.manifest import Manifest


def pack(directory: Path) -> tuple[Manifest, bytes]:
    """Pack a directory into an archive to import from; raises OSError or DecodeError if it is no bundle."""
    text = (directory / manifest.FILE_NAME).read_bytes()
    parsed = manifest.parse(text)
    # Python finds a folder without __init__.py only when it has an entry of its own.
    folders = list(accumulate(f"{part}/" for part in parsed.module.split(".")))
    entries = {manifest.FILE_NAME: text, **dict.fromkeys(folders, b"")}
    for path in sorted(directory.rglob("*")):
        inside = path.relative_to(directory)
        if path.is_file() and "__pycache__" not in inside.parts and path.name != manifest.FILE_NAME:
            entries[folders[-1] + inside.as_posix()] = path.read_bytes()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in entries.items():
            # A ZipInfo has the oldest time there is: the same files give the same digest on every machine.
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return parsed, content.getvalue()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python3 -m demonstrator.provisioning.pack DIR")
    try:
        bundle, packed = pack(Path(sys.argv[1]))
    except (OSError, codec.DecodeError) as failure:
        sys.exit(f"error: {sys.argv[1]} is no bundle: {failure}")
    file_name = f"{bundle.name}-{bundle.version}.zip"
    Path(file_name).write_bytes(packed)
    print(file_name)  # noqa: T201 - the name of the file is the program's output
