"""What a program's --help says, as data: the source of its manual page and shell completion.

Understands the three forms that the programs print: talkjsd's own, CLI11's (talkjsctl, with a page
for each command), and talkjs-emulator's.
"""

import os
import re
import subprocess
from dataclasses import dataclass, field


@dataclass
class Option:
    names: list          # ["-h", "--help"]; the name alone for a positional argument
    value: str = ""      # what stands for the value, such as "FILE"; empty: a switch
    text: list = field(default_factory=list)  # sentences
    required: bool = False
    choices: list = field(default_factory=list)

    @property
    def positional(self):
        return not self.names[0].startswith("-")

    @property
    def is_file(self):
        return bool(re.fullmatch(r"F|FILE|PATH|DIR", self.value))


@dataclass
class Command:
    words: list          # ["talkjsctl", "session", "create"]
    summary: str = ""
    usage: str = ""
    options: list = field(default_factory=list)
    commands: list = field(default_factory=list)
    footer: list = field(default_factory=list)  # lines as printed

    def walk(self):
        yield self
        for command in self.commands:
            yield from command.walk()


def read(program, words=None):
    """The tree of a program's commands; `program` is a path to it."""
    words = words or [os.path.basename(program)]
    text = subprocess.run([program, *words[1:], "--help"], check=True, text=True,
                          stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]}).stdout
    command = Command(words)
    lines = text.splitlines()
    command.summary = lines[0].strip()
    names = _parse(command, lines[1:])
    if not command.options:
        raise ValueError(f"{' '.join(words)} --help has no options: its form has changed")
    command.commands = [read(program, [*words, name]) for name in names]
    return command


def _parse(command, lines):
    """Fills the command; returns the names of its subcommands."""
    names, section, entry = [], "Options", None
    for line in lines:
        heading = re.fullmatch(r"(?:  )?(Options|Positionals|Subcommands):", line)
        if heading:
            section, entry = heading[1], None
        elif re.match(r"[Uu]sage: ", line):
            command.usage = line.split(": ", 1)[1]
        elif line.startswith("["):  # CLI11's groups of options
            section = "Group"
        elif re.match(r"\S", line):
            section = "Footer"
            command.footer.append(line)
        elif section == "Footer":
            command.footer.append(line)
        elif section == "Subcommands":
            match = re.match(r"  (\S+)", line)
            if match:
                names.append(match[1])
        elif section in ("Options", "Positionals"):
            entry = _parse_option(line, entry, command)
    return names


def _parse_option(line, entry, command):
    """One line of a list of options: begins an entry, or goes on with the last."""
    match = re.match(r" {2,4}(\S.*?)(?: {2,}(\S.*))?$", line)
    if not match:
        if entry is not None and line.strip():
            entry.text.append(line.strip())
        return entry
    left = match[1]
    option = Option(names=left.split()[0].split(","))
    rest = left.split(" ", 1)[1].strip() if " " in left else ""
    # CLI11 adds types, counts and conditions to the name of the value.
    rest = re.sub(r" ?Excludes:.*| ?Needs:.*", "", rest)
    option.required = rest.endswith("REQUIRED")
    rest = rest.removesuffix("REQUIRED").strip()
    choices = re.search(r":\{(.*)\}", rest)
    option.choices = choices[1].split(",") if choices else []
    option.value = re.split(r":(?:\{|FLOAT|INT|UINT)| \.\.\.| x \d", rest)[0]
    if match[2]:
        option.text.append(match[2])
    command.options.append(option)
    return option
