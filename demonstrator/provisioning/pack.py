"""Packs a bundle's directory: `python3 -m demonstrator.provisioning.pack DIR` writes NAME-VERSION.zip."""

import io
import sys
import zipfile
from pathlib import Path

from demonstrator.lib import codec
from demonstrator.platform import manifest
from demonstrator.platform.manifest import Manifest

# The oldest time an archive can carry: the same files give the same digest on every machine.
_TIME = (1980, 1, 1, 0, 0, 0)


def pack(directory: Path) -> tuple[Manifest, bytes]:
    """Pack a bundle's directory, so that its module can be imported from the archive.

    Raises:
        OSError: The directory or its manifest cannot be read.
        DecodeError: The manifest is wrong.
    """
    parsed = manifest.parse((directory / manifest.FILE_NAME).read_bytes())
    folders = parsed.module.split(".")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, manifest.FILE_NAME, (directory / manifest.FILE_NAME).read_bytes())
        for depth in range(1, len(folders) + 1):
            # Python finds a folder without __init__.py only when it has an entry of its own.
            _add(archive, "/".join(folders[:depth]) + "/", b"")
        for path in sorted(directory.rglob("*")):
            inside = path.relative_to(directory)
            if path.is_file() and "__pycache__" not in inside.parts and path.name != manifest.FILE_NAME:
                _add(archive, "/".join((*folders, *inside.parts)), path.read_bytes())
    return parsed, content.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def main(arguments: list[str]) -> str:
    """Write the archive into the working directory and return its name."""
    if len(arguments) != 1:
        sys.exit("usage: python3 -m demonstrator.provisioning.pack DIR")
    try:
        parsed, content = pack(Path(arguments[0]))
    except (OSError, codec.DecodeError) as error:
        sys.exit(f"error: {arguments[0]} is no bundle: {error}")
    name = f"{parsed.name}-{parsed.version}.zip"
    Path(name).write_bytes(content)
    return name


if __name__ == "__main__":
    print(main(sys.argv[1:]))  # noqa: T201 - the name of the file is the program's output
