"""The manual pages and completions that the package gets: complete, and they work."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("TALKJSD_BIN", ROOT / "build/release/bin"))
PAGES = {"talkjsd": "8", "talkjsctl": "1", "talkjs-emulator": "1"}

sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "deploy/manual"))
import help_tree  # noqa: E402


class Manual(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.share = pathlib.Path(cls.directory.name) / "share"
        subprocess.run([ROOT / "deploy/manual/generate", "--config",
                        ROOT / "deploy/config.example.yaml", "1.2.3", cls.directory.name], check=True)
        cls.trees = {}
        for program, section in PAGES.items():
            subprocess.run([ROOT / "deploy/manual/generate", BIN / program, section, "1.2.3",
                            cls.directory.name], check=True)
            cls.trees[program] = help_tree.read(str(BIN / program))

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def page(self, program):
        path = self.share / f"man/man{PAGES[program]}/{program}.{PAGES[program]}"
        return path, path.read_text()

    def bash(self, program, *words):
        """What completion offers for the last word."""
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  '"_${1//-/_}"; printf "%s\\n" "${COMPREPLY[@]}"')
        file = self.share / "bash-completion/completions" / program
        result = subprocess.run(["bash", "-uc", script, "bash", file, program, *words],
                                stdout=subprocess.PIPE, text=True, check=True, cwd=self.share)
        return [line for line in result.stdout.splitlines() if line]

    def test_the_help_is_read_to_its_leaves(self):
        commands = [" ".join(command.words) for command in self.trees["talkjsctl"].walk()]
        for command in ("talkjsctl session create", "talkjsctl emulator fault add",
                        "talkjsctl health"):
            self.assertIn(command, commands)
        create = next(command for command in self.trees["talkjsctl"].walk()
                      if command.words[1:] == ["session", "create"])
        options = {option.names[-1]: option for option in create.options}
        self.assertTrue(options["--app-id"].required)
        self.assertEqual(options["--app-id"].value, "APP")
        self.assertEqual(options["--push-provider"].choices, ["fcm", "apns"])
        self.assertTrue(options["--secret-key-file"].is_file)  # in a group of options
        self.assertEqual(options["--wait"].value, "")
        self.assertEqual(options["--token-lifetime"].value, "SECONDS")

    def test_pages_have_every_option_and_are_sound(self):
        for program in PAGES:
            with self.subTest(program):
                path, text = self.page(program)
                plain = text.replace("\\-", "-")
                for command in self.trees[program].walk():
                    for option in command.options:
                        for name in option.names:
                            self.assertIn(name, plain)
                self.assertIn(".SH SEE ALSO", text)
                self.assertIn("talkjsd 1.2.3", text)
                if shutil.which("groff"):
                    result = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", path],
                                            stderr=subprocess.PIPE, text=True, check=True)
                    self.assertEqual(result.stderr, "")

    def test_the_page_of_the_configuration_is_its_example(self):
        page = self.share / "man/man5/talkjsd.config.5"
        plain = page.read_text().replace("\\-", "-").replace("\\(aq", "'").replace("\\&", "")
        for line in (ROOT / "deploy/config.example.yaml").read_text().splitlines():
            self.assertIn(line, plain)
        if shutil.which("groff"):
            result = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", page],
                                    stderr=subprocess.PIPE, text=True, check=True)
            self.assertEqual(result.stderr, "")

    def test_bash_completes_commands_options_and_values(self):
        self.assertEqual(self.bash("talkjsctl", "sess"), ["session"])
        self.assertIn("create", self.bash("talkjsctl", "session", ""))
        self.assertEqual(self.bash("talkjsctl", "session", "create", "--secret"),
                         ["--secret-key-file"])
        # An option's value is no command; options of all commands may come before.
        self.assertEqual(self.bash("talkjsctl", "--address", "session", "heal"), ["health"])
        self.assertEqual(self.bash("talkjsctl", "session", "create", "--push-provider", ""),
                         ["fcm", "apns"])
        self.assertEqual(self.bash("talkjsctl", "session", "create", "--token-file", "ma"), ["man"])
        self.assertEqual(self.bash("talkjsctl", "session", "create", "--user", ""), [])
        self.assertEqual(self.bash("talkjsd", "--log-f"), ["--log-format"])
        self.assertIn("--state-dir", self.bash("talkjsd", "--"))
        self.assertEqual(self.bash("talkjs-emulator", "--rest"), ["--rest-rate-limits"])

    def test_completions_know_every_option_of_every_command(self):
        for program in PAGES:
            for command in self.trees[program].walk():
                offered = self.bash(program, *command.words[1:], "--")
                for option in command.options:
                    if not option.positional:
                        self.assertIn(option.names[-1], offered, command.words)

    def test_zsh_is_told_the_same(self):
        for program in PAGES:
            text = (self.share / f"zsh/vendor-completions/_{program}").read_text()
            self.assertTrue(text.startswith(f"#compdef {program}\n"))
            for command in self.trees[program].walk():
                for option in command.options:
                    if not option.positional:
                        self.assertIn(f"'{option.names[-1]}:", text)
            # Its quoting is the one that bash has; words with ' inside would show here.
            quoted = re.findall(r"found=\((.*)\) ;;", text)
            for entries in quoted:
                self.assertEqual(entries.count("'") % 2, 0)
            if shutil.which("zsh"):
                subprocess.run(["zsh", "-n", self.share / f"zsh/vendor-completions/_{program}"],
                               check=True)


if __name__ == "__main__":
    unittest.main()
