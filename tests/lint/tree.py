"""The project's own source files, and a C++ tokeniser that is as good as the lints need."""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCE_DIRS = ("daemon", "client", "tests", "cmake")
SKIPPED_DIRS = {"node_modules", "build", "__pycache__", ".cache"}


def sources(extensions=(".h", ".cc"), root=ROOT):
    """Paths of our C++ files, relative to the root, sorted."""
    found = []
    for top in SOURCE_DIRS:
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders[:] = [name for name in folders if name not in SKIPPED_DIRS]
            found += [
                os.path.relpath(os.path.join(folder, name), root)
                for name in files
                if name.endswith(extensions)
            ]
    return sorted(found)


def read(path, root=ROOT):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


_TOKEN = re.compile(
    r"""
      (?P<skip>\s+|//[^\n]*|/\*.*?\*/|^[ \t]*\#(?:\\\n|[^\n])*)
    | (?P<raw>(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)")
    | (?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*")
    | (?P<char>(?:u8|[uUL])?'(?:\\.|[^'\\\n])+')
    | (?P<number>\.?\d(?:'?[\w.]|[eEpP][+-])*)
    | (?P<word>[A-Za-z_]\w*)
    | (?P<sign>::|->|<<=|<=>|&&|\|\||[-+*/%&|^=!<>]=|\+\+|--|\[\[|\]\]|.)
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


class Token:
    """A word, sign or literal. `text` of a string or character literal is '""' or "''"."""

    __slots__ = ("text", "line")

    def __init__(self, text, line):
        self.text = text
        self.line = line

    def __repr__(self):
        return self.text


def tokens(code):
    """The tokens of C++ code, without comments and preprocessor lines."""
    found = []
    line = 1
    for match in _TOKEN.finditer(code):
        kind = match.lastgroup
        text = match.group()
        if match.group("skip") is None:
            if match.group("raw") or match.group("string"):
                found.append(Token('""', line))
            elif match.group("char"):
                found.append(Token("''", line))
            elif text in ("[[", "]]"):
                # Attributes and nested subscripts alike: two brackets each.
                found += [Token(text[0], line), Token(text[1], line)]
            else:
                found.append(Token(text, line))
        line += text.count("\n")
    return found


_OPEN = {"(": ")", "[": "]", "{": "}"}


def match_brackets(list_of_tokens):
    """Index of each bracket's partner: {open: close, close: open}."""
    partner = {}
    stack = []
    for index, token in enumerate(list_of_tokens):
        if token.text in _OPEN:
            stack.append(index)
        elif token.text in (")", "]", "}"):
            while stack:
                start = stack.pop()
                if _OPEN[list_of_tokens[start].text] == token.text:
                    partner[start] = index
                    partner[index] = start
                    break
    return partner
