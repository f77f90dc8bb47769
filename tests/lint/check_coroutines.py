#!/usr/bin/env python3
"""Rejects the coroutine patterns that GCC 12 miscompiles, and the one race that breaks Beast.

  await-position   co_await stands where it is neither a whole statement, nor the initialiser (or
                   new value) of a named variable, nor a condition
  await-in-choice  co_await in a statement with ?:
  braced-argument  a braced list or an aggregate built in place (`T{...}`) in a statement with
                   co_await: its members are copied bitwise. Name it first
  lambda-captures  a lambda with captures is a coroutine: its captures are destroyed twice
  read-race        co_await (read || timer): a cancelled WebSocket read ruins the stream

Usage: check_coroutines.py [file...]; without files, all of ours.
"""

import sys

import tree

_AWAIT = "co_await"
_COROUTINE = {"co_await", "co_return", "co_yield"}
_CONDITIONS = {"if", "while", "switch"}


class Checker:
    def __init__(self, code):
        self.tokens = tree.tokens(code)
        self.partner = tree.match_brackets(self.tokens)
        self.bodies = {}  # index of a lambda's "[" -> (index of "{", index of "}")
        self.problems = []
        for index in range(len(self.tokens)):
            self._find_lambda(index)

    def text(self, index):
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def report(self, index, rule, message):
        problem = (self.tokens[index].line, rule, message)
        if problem not in self.problems:
            self.problems.append(problem)

    def run(self):
        for index, token in enumerate(self.tokens):
            if token.text == _AWAIT:
                self._check_await(index)
        for introducer, (start, end) in self.bodies.items():
            self._check_lambda(introducer, start, end)
        return sorted(self.problems)

    def _find_lambda(self, index):
        """Notes the body of the lambda whose introducer opens at index, if one does."""
        if self.text(index) != "[" or index not in self.partner:
            return
        before = self.text(index - 1)
        is_value = before in (")", "]", '""') or (
            before and (before[0].isalnum() or before[0] == "_")
        )
        if (is_value and before not in ("return", "co_return", "co_await", "co_yield")) or (
            before == "[" or self.text(index + 1) == "["
        ):
            return  # a subscript or an attribute
        at = self.partner[index] + 1
        if self.text(at) == "<":  # template parameters
            depth = 0
            while at < len(self.tokens):
                depth += {"<": 1, ">": -1}.get(self.text(at), 0)
                at += 1
                if depth == 0:
                    break
        if self.text(at) == "(":
            at = self.partner.get(at, at) + 1
        # mutable, noexcept, attributes, and "-> type", up to the body.
        while at < len(self.tokens) and self.text(at) != "{":
            if self.text(at) in (";", ",", ")", "}", "="):
                return
            at = self.partner.get(at, at) + 1 if self.text(at) in ("(", "[") else at + 1
        if at in self.partner:
            self.bodies[index] = (at, self.partner[at])

    def _own(self, start, end):
        """Indices in (start, end) without those in the bodies of lambdas inside."""
        inner = {body[0]: body[1] for body in self.bodies.values()}
        at = start + 1
        while at < end:
            yield at
            at = inner[at] if at in inner else at + 1
            # The closing brace of an inner body is yielded too; no rule minds it.

    def _check_lambda(self, introducer, start, end):
        captures = self.partner[introducer] - introducer > 1
        if captures and any(self.text(at) in _COROUTINE for at in self._own(start, end)):
            self.report(
                introducer,
                "lambda-captures",
                "a capturing lambda is a coroutine; use a function with parameters",
            )

    def _statement(self, index):
        """(first, last) of the statement or condition around index; last is exclusive."""
        first = index
        while first > 0:
            before = self.text(first - 1)
            if before in (")", "]", "}") and first - 1 in self.partner:
                opening = self.partner[first - 1]
                if before == "}" and not self._is_expression_brace(opening):
                    break
                if before == ")" and self._heads_statement(opening):
                    break
                first = opening
                continue
            if before in (";", "{", "}", ":") or before in ("else", "do"):
                if before == ":" and self._is_choice_colon(first - 1):
                    first -= 1
                    continue
                break
            if before == "(" and self._heads_statement(first - 1):
                break
            if before == "{" or before == "(" or before == "[" or before == ",":
                first -= 1
                continue
            first -= 1
        last = index
        while last < len(self.tokens):
            here = self.text(last)
            if here in ("(", "[") and last in self.partner:
                last = self.partner[last] + 1
                continue
            if here == "{" and last in self.partner:
                if not self._is_expression_brace(last):
                    break
                last = self.partner[last] + 1
                continue
            if here in (";", "}"):
                break
            if here == ")" and self._heads_statement(self.partner.get(last, -1)):
                break
            last += 1
        return first, last

    def _heads_statement(self, opening):
        """Whether the "(" at this index belongs to if, while, for or switch."""
        before = self.text(opening - 1)
        if before == "constexpr":
            before = self.text(opening - 2)
        return before in _CONDITIONS or before == "for"

    def _is_expression_brace(self, opening):
        """Whether "{" builds a value, rather than opening a block or a body."""
        if opening in {body[0] for body in self.bodies.values()}:
            return True  # a lambda inside an expression
        before = self.text(opening - 1)
        if before in ("=", ",", "(", "return", "co_return", "{", ">") or before == "[":
            return before != "{" or self._is_expression_brace(opening - 1)
        if before in ("else", "do", "try", "const", "override", "noexcept", "mutable", "final"):
            return False
        # `T{` builds a value; `struct T {`, `namespace n {` and `enum E {` do not.
        if before and (before[0].isalpha() or before[0] == "_"):
            at = opening - 1
            while at >= 0 and self.text(at) not in (";", "{", "}", "(", ")", "=", ",", "return"):
                if self.text(at) in ("struct", "class", "namespace", "enum", "union", "->"):
                    return False
                at -= 1
            return True
        return False

    def _is_choice_colon(self, colon):
        at = colon - 1
        while at >= 0 and self.text(at) not in (";", "{", "}"):
            if self.text(at) == "?":
                return True
            if self.text(at) in ("case", "default", "public", "private", "protected"):
                return False
            at = self.partner.get(at, at) - 1 if self.text(at) in (")", "]") else at - 1
        return False

    def _check_await(self, index):
        first, last = self._statement(index)
        in_condition = self.text(first - 1) == "(" and self._heads_statement(first - 1)
        own = set(self._own(first - 1, last))
        if any(self.text(at) == "?" for at in own):
            self.report(index, "await-in-choice", "co_await in a statement with ?:; use if/else")
        if not in_condition and not self._well_placed(first, index):
            self.report(
                index,
                "await-position",
                "co_await must be a statement, the initialiser of a named variable, or a condition",
            )
        self._check_operand(index, last)

    def _well_placed(self, first, index):
        """co_await opens the statement, or follows `name =` (with the operators ! and *)."""
        at = index - 1
        while at >= first and self.text(at) in ("!", "*", "("):
            if self.text(at) == "(" and self.text(self.partner.get(at, at) + 1) not in (";", "."):
                return False
            at -= 1
        if at < first:
            return True
        if self.text(at) == "void" and self.text(at - 1) == "(":
            return True
        if self.text(at) == ")" and self.text(at - 1) == "void":
            return True  # (void)co_await ...
        return self.text(at) in ("=", "+=")

    def _check_operand(self, index, last):
        inner = {body[0] for body in self.bodies.values()}
        at = index + 1
        if self.text(at) == "(" and at in self.partner:
            group = [self.text(i) for i in range(at, self.partner[at])]
            if "||" in group and any("read" in word.lower() for word in group):
                self.report(index, "read-race", "never race a WebSocket read; close the socket")
        while at < last:
            if at in inner:
                at = self.partner[at] + 1
                continue
            if self.text(at) == "{":
                self.report(
                    at, "braced-argument", "a braced value in an awaited call; name it first"
                )
                at = self.partner.get(at, at) + 1
                continue
            at += 1


def check(code):
    """Problems in C++ code: a list of (line, rule, message)."""
    return Checker(code).run()


def main(arguments):
    paths = arguments or tree.sources()
    failures = 0
    for path in paths:
        for line, rule, message in check(tree.read(path)):
            print(f"{path}:{line}: {rule}: {message}")
            failures += 1
    if failures:
        print(f"check_coroutines: {failures} problems; the rules are in CONTRIBUTING.md")
        return 1
    print(f"check_coroutines: {len(paths)} files, no problems")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
