"""ES modules become one script: what each exports is an object that the others take from.

An inline script is allowed by its hash, and loads nothing; imports would. Modules must import with
static names, at the left margin, and not in a circle.
"""

from __future__ import annotations

import re
from importlib import resources
from posixpath import dirname, join, normpath

__all__ = ["one_script"]

IMPORT = re.compile(r'^import (?:(\* as \w+|\{[^}]*\}) from )?"(\.[^"]+)";\n', re.M)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*? |const |let |class )(\w+))", re.M)
RENAMED, NEW_NAME = re.compile(r"(\w+) as (\w+)"), r"\1: \2"
NOTHING = re.compile(r"^export \{\};\n", re.M)


def one_script(entry: str, *names: str, default: bool = False) -> str:
    """Return the module ``entry``, a path in the studio's folder, with all that it imports.

    ``names`` are those of its exports that a script after it uses. With ``default`` the script is
    a module, whose default export is what ``entry`` exports.

    Raises
    ------
    ValueError
        If modules import each other in a circle, or in a way that is not known here.
    """
    root = resources.files("pellucid.studio")
    objects: dict[str, str] = {}  # their names, by path
    written: list[str] = []
    opening: list[str] = []

    def add(path: str) -> str:
        if path in opening:
            raise ValueError(f"modules import each other: {' -> '.join([*opening, path])}")
        if path in objects:
            return objects[path]
        opening.append(path)
        text = root.joinpath(path).read_text(encoding="utf-8")

        def taken(found: re.Match[str]) -> str:
            name = add(normpath(join(dirname(path), found[2])))
            if found[1] is None:
                return ""
            if found[1].startswith("*"):
                return f"const {found[1].removeprefix('* as ')} = {name};\n"
            return f"const {RENAMED.sub(NEW_NAME, found[1])} = {name};\n"

        body = NOTHING.sub("", IMPORT.sub(taken, text))
        exported = EXPORT.findall(body)
        body = EXPORT.sub("", body)
        left = re.search(r"^(import|export)\b.*", body, re.M)
        if left:
            raise ValueError(f"{path}: cannot take apart: {left[0]}")
        objects[path] = f"m{len(objects)}"
        head = f"// {path}\nconst {objects[path]} = (() => {{\n"
        written.append(f"{head}{body}return {{ {', '.join(exported)} }};\n}})();\n")
        opening.pop()
        return objects[path]

    last = add(entry)
    taken_out = f"const {{ {', '.join(names)} }} = {last};\n" if names else ""
    return "".join(written) + taken_out + (f"export default {last};\n" if default else "")
