"""The completion of a program for bash and zsh, from its --help: words of commands, their options,
files and fixed choices as values of options."""

import re

BASH = r"""# bash completion of @NAME@, made from its --help.
@FUNCTION@() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} path= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      @WITH_VALUE@) ((++i)); continue ;;
    esac
    case $path/${COMP_WORDS[i]} in
      @PATHS@) path+=/${COMP_WORDS[i]} ;;
    esac
  done
  local words=
  case $path:$prev in
@VALUES@
  esac
  case $path in
@WORDS@
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F @FUNCTION@ @NAME@
"""

ZSH = r"""#compdef @NAME@
# zsh completion of @NAME@, made from its --help.
@FUNCTION@() {
  local path_= prev=${words[CURRENT-1]} i
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    case ${words[i]} in
      @WITH_VALUE@) ((++i)); continue ;;
    esac
    case $path_/${words[i]} in
      @PATHS@) path_+=/${words[i]} ;;
    esac
  done
  case $path_:$prev in
@VALUES@
  esac
  case $path_ in
@WORDS@
  esac
  _describe @NAME@ found
}
@FUNCTION@ "$@"
"""


def one_of(words):
    return " | ".join(sorted(set(words))) or "''"


def path_of(command):
    return "".join("/" + word for word in command.words[1:])


def value_cases(tree, files, choices):
    """Where an option's value comes next: files, or one of a few words, or nothing to offer."""
    cases = []
    for command in tree.walk():
        groups = {}
        for option in command.options:
            if option.positional or not option.value and not option.choices:
                continue
            what = "files" if option.is_file else " ".join(option.choices)
            groups.setdefault(what, []).extend(option.names)
        for what, names in groups.items():
            # talkjsctl takes the options of all commands after the command, too.
            paths = ["*"] if command is tree else [path_of(command)]
            pattern = " | ".join(f"{path}:{name}" for path in paths for name in names)
            action = files if what == "files" else choices(what) if what else "return"
            cases.append(f"    {pattern}) {action} ;;")
    return "\n".join(cases)


def quoted(option_or_command, text):
    text = re.sub(r"['\\]", "", text).replace(":", "\\:")
    return f"'{option_or_command}:{text}'"


def entries_of(command, tree):
    """(word, text) for everything that may stand next."""
    entries = [(sub.words[-1], sub.summary) for sub in command.commands]
    options = [*command.options, *(tree.options if command is not tree else [])]
    seen = set()
    for option in options:
        if option.positional or option.names[-1] in seen:
            continue
        seen.add(option.names[-1])
        entries.append((option.names[-1], option.text[0] if option.text else ""))
    return entries


def render(shell, tree):
    """`shell` is "bash" or "zsh"."""
    name = tree.words[0]
    with_value = [option_name for command in tree.walk() for option in command.options
                  if not option.positional and (option.value or option.choices)
                  for option_name in option.names]
    # A name that is a switch elsewhere cannot be told apart; none is.
    paths = [path_of(command) for command in tree.walk() if command is not tree]
    cases = []
    for command in tree.walk():
        entries = entries_of(command, tree)
        pattern = path_of(command) or "''"
        if shell == "bash":
            cases.append(f"    {pattern}) words='{' '.join(word for word, _ in entries)}' ;;")
        else:
            cases.append(f"    {pattern}) found=({' '.join(quoted(*e) for e in entries)}) ;;")
    if shell == "bash":
        files = 'COMPREPLY=($(compgen -f -- "$cur")); compopt -o filenames 2>/dev/null; return'
        values = value_cases(tree, files,
                             lambda words: f'COMPREPLY=($(compgen -W "{words}" -- "$cur")); return')
    else:
        values = value_cases(tree, "_files; return", lambda words: f"compadd {words}; return")
    text = BASH if shell == "bash" else ZSH
    for mark, value in {"NAME": name, "FUNCTION": "_" + name.replace("-", "_"),
                        "WITH_VALUE": one_of(with_value), "PATHS": one_of(paths),
                        "VALUES": values, "WORDS": "\n".join(cases)}.items():
        text = text.replace(f"@{mark}@", value)
    return text

