"""The coroutine lint finds what it must and leaves the rest alone."""

import unittest

import check_coroutines


def rules(code):
    return [rule for _, rule, _ in check_coroutines.check("Task<int> F() {\n" + code + "\n}\n")]


class Allowed(unittest.TestCase):
    def accept(self, code):
        self.assertEqual(rules(code), [], code)

    def test_whole_statement(self):
        self.accept("co_await Send(frame);")
        self.accept("if (ready) co_await Send(frame);")
        self.accept("else co_await Send(frame);")
        self.accept("for (const Frame& f : frames) co_await Send(f);")
        self.accept("case 3: co_await Send(frame); break;")
        self.accept("(void)co_await Send(frame);")

    def test_initialiser(self):
        self.accept("absl::Status s = co_await Send(frame);")
        self.accept("auto [ec, n] = co_await timer.async_wait(tuple_awaitable);")
        self.accept("const std::vector<int> v = co_await Read(buffer_, 3);")
        self.accept("auto s = std::string(3, 'x'); Frame f = co_await Read(s);")

    def test_assignment(self):
        self.accept("status = co_await Send(frame);")
        self.accept("this->slots_[i] = co_await Send(frame);")

    def test_condition(self):
        self.accept("if (co_await Send(frame)) { Do(); }")
        self.accept("if (!(co_await Send(frame)).ok()) { Do(); }")
        self.accept("while (co_await Send(frame)) {}")
        self.accept("if (auto s = co_await Send(frame); !s.ok()) { Do(); }")
        self.accept("if (absl::Status s = co_await Send(frame); !s.ok()) co_return s;")

    def test_choice_and_braces_in_other_statements(self):
        self.accept("int a = b ? 1 : 2; co_await Send(a); Point p{1, 2}; auto q = b ? p : p;")
        self.accept("co_spawn(loop, Run(Point{1, 2}), detached);")
        self.accept("if (x) { co_await Send(a); } else { y = b ? 1 : 2; }")

    def test_lambdas(self):
        self.accept("auto f = [](int x) -> Task<int> { co_return x; };")
        self.accept("auto f = [this](int x) { return x + 1; }; co_await Send(f);")
        self.accept("auto f = [&] { Spawn([](int x) -> Task<int> { co_return x; }); };")
        self.accept("int x = values[3]; co_return x;")

    def test_comments_and_strings(self):
        self.accept('// x = b ? co_await F() : 3;\nconst char* s = "co_await F({1, 2})";')
        self.accept('auto s = R"(f(co_await g()))";')


class Rejected(unittest.TestCase):
    def reject(self, rule, code):
        self.assertEqual(rules(code), [rule], code)

    def test_argument(self):
        self.reject("await-position", "Send(co_await Read());")
        self.reject("await-position", "int n = 1 + co_await Read();")
        self.reject("await-position", "auto x = Wrap(co_await Read());")
        self.reject("await-position", "co_return co_await Read();")

    def test_choice(self):
        self.assertIn("await-in-choice", rules("T t = ok ? co_await Read() : Other();"))
        self.assertIn("await-in-choice", rules("T t = co_await Read(ok ? 1 : 2);"))
        self.assertIn("await-in-choice", rules("T t = ok ? Other() : co_await Read();"))
        self.assertIn("await-in-choice", rules("if (co_await Read() ? a : b) {}"))

    def test_aggregate(self):
        self.reject("braced-argument", 'co_await Send(Agg{a, "x", 3});')
        self.reject("braced-argument", "T t = co_await Send({a, b});")
        self.reject("braced-argument", "if (co_await Send(ns::Agg<int>{a})) {}")

    def test_capturing_coroutine(self):
        self.reject(
            "lambda-captures", "auto f = [x = std::move(y)]() -> Task<int> { co_return x; };"
        )
        self.reject("lambda-captures", "Spawn([this]() -> Task<void> { co_await Go(); });")
        self.reject("lambda-captures", "Spawn([&] { return [=]() -> T { co_return 1; }; });")
        self.assertIn(
            "lambda-captures", rules("co_await [&]() -> Task<void> { co_await Go(); }();")
        )

    def test_race(self):
        self.reject("read-race", "co_await (socket.async_read(buffer, token) || timer.Wait());")

    def test_line_numbers(self):
        (line, _, _), = check_coroutines.check("T F() {\n\n  Send(co_await Read());\n}\n")
        self.assertEqual(line, 3)


if __name__ == "__main__":
    unittest.main()
