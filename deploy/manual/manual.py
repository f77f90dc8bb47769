"""The manual page of a program, as roff: NAME, SYNOPSIS, OPTIONS and COMMANDS from its --help."""

import re


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"^([.'])", r"\\&\1", text)


def option_entry(option):
    names = ", ".join(f"\\fB{escape(name)}\\fR" for name in option.names)
    if option.positional:
        names = f"\\fI{escape(option.names[0])}\\fR"
    elif option.choices:
        names += " " + "|".join(f"\\fB{escape(choice)}\\fR" for choice in option.choices)
    elif option.value:
        names += f" \\fI{escape(option.value)}\\fR"
    lines = [".TP", names]
    for position, text in enumerate(option.text):
        if position > 0:
            lines.append(".br")
        lines.append(escape(text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")))
    if option.required:
        lines.append("Required.")
    return lines


def command_section(command):
    lines = [f".SS {escape(' '.join(command.words[1:]))}", escape(command.summary + ".")]
    for option in command.options:
        if option.names != ["-h", "--help"]:
            lines += option_entry(option)
    return lines


def render_config(example, version):
    """The page of the configuration file: a commented example with every key."""
    return "\n".join([
        f'.TH TALKJSD.CONFIG 5 "" "talkjsd {version}" "talkjsd"',
        ".SH NAME", "talkjsd.config \\- configuration file of talkjsd",
        ".SH SYNOPSIS", ".I /etc/talkjsd/config.yaml",
        ".SH DESCRIPTION",
        "YAML. Every key is optional; these are all of them, with their defaults or an example.",
        ".PP", ".nf", *(escape(line) for line in example.splitlines()), ".fi",
        ".SH SEE ALSO", ".BR talkjsd (8)", ""])


def render(tree, section, version, extra):
    """`extra` is roff: the sections that --help does not have."""
    name = tree.words[0]
    summary = re.sub(rf"^{name}(?: |: )", "", tree.summary).rstrip(".")
    synopsis = tree.usage.split(" ", 1)[1] if " " in tree.usage else "[options]"
    lines = [
        f'.TH {name.upper()} {section} "" "talkjsd {version}" "talkjsd"',
        ".SH NAME", f"{escape(name)} \\- {escape(summary)}",
        ".SH SYNOPSIS", f".B {escape(name)}", escape(synopsis),
        ".SH OPTIONS",
    ]
    for option in tree.options:
        lines += option_entry(option)
    leaves = [command for command in tree.walk() if command is not tree and not command.commands]
    if leaves:
        lines.append(".SH COMMANDS")
        for command in leaves:
            lines += command_section(command)
    return "\n".join(lines) + "\n" + extra
