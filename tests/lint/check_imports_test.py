"""The import lint finds what it must and leaves the rest alone."""

import unittest

import check_imports


def rules(path, code, heavy=frozenset()):
    return [rule for _, rule, _ in check_imports.check_file(path, code, heavy)]


class Files(unittest.TestCase):
    def test_allowed(self):
        self.assertEqual(rules("daemon/session/a.cc", '#include "daemon/upstream/b.h"\n'), [])
        self.assertEqual(rules("daemon/wire/a.h", '#include "daemon/base/b.h"\n'), [])
        self.assertEqual(rules("daemon/main.cc", '#include "daemon/api/b.h"\n'), [])
        self.assertEqual(rules("daemon/api/a.cc", "#include <grpcpp/server.h>\n"), [])
        self.assertEqual(rules("daemon/net/a.cc", "#include <boost/asio.hpp>\n"), [])
        self.assertEqual(rules("client/talkjsctl/a.cc", '#include "daemon/journal/b.h"\n'), [])
        self.assertEqual(rules("tests/unit/x_test.cc", '#include "daemon/api/b.h"\n'), [])

    def test_against_the_direction(self):
        self.assertEqual(
            rules("daemon/upstream/a.cc", '#include "daemon/session/b.h"\n'), ["direction"]
        )
        self.assertEqual(rules("daemon/wire/a.h", '#include "daemon/net/b.h"\n'), ["direction"])
        self.assertEqual(rules("daemon/base/a.h", '#include "daemon/wire/b.h"\n'), ["direction"])
        self.assertEqual(rules("daemon/admin/a.cc", '#include "daemon/api/b.h"\n'), ["direction"])
        self.assertEqual(rules("daemon/net/a.cc", '#include "client/cpp/b.h"\n'), ["direction"])
        self.assertEqual(rules("client/cpp/a.cc", '#include "daemon/base/b.h"\n'), ["direction"])

    def test_folders_of_a_room(self):
        path = "daemon/emulator/store/a.cc"
        self.assertEqual(rules(path, '#include "daemon/emulator/model/world.h"\n'), [])
        self.assertEqual(rules(path, '#include "daemon/emulator/store/b.h"\n'), [])
        self.assertEqual(rules(path, '#include "daemon/emulator/refusal.h"\n'), [])
        self.assertEqual(rules(path, '#include "daemon/emulator/rest/rest.h"\n'), ["folder"])
        self.assertEqual(
            rules("daemon/emulator/app.cc", '#include "daemon/emulator/store/store.h"\n'), []
        )

    def test_heavy_headers(self):
        heavy = check_imports.heavy_headers(
            {
                "daemon/net/asio.h": "#include <boost/asio.hpp>\n",
                "daemon/net/leak.h": '#include "daemon/net/asio.h"\n',
                "daemon/net/url.h": "#include <string>\n",
                "daemon/net/url.cc": "#include <boost/url.hpp>\n",
                "daemon/wire/json.h": "#include <boost/json.hpp>\n",
            }
        )
        self.assertEqual(heavy, {"daemon/net/asio.h", "daemon/net/leak.h"})
        leak = '#include "daemon/net/leak.h"\n'
        self.assertEqual(rules("daemon/upstream/a.cc", leak, heavy), ["heavy"])
        self.assertEqual(rules("daemon/net/a.cc", leak, heavy), [])
        self.assertEqual(rules("daemon/net/inner/a.cc", leak, heavy), [])
        self.assertEqual(rules("tests/unit/net/a_test.cc", leak, heavy), [])

    def test_grpc_in_other_rooms(self):
        self.assertEqual(rules("daemon/session/a.cc", "#include <grpcpp/server.h>\n"), ["grpc"])

    def test_quotes(self):
        self.assertEqual(rules("daemon/net/a.cc", "#include <daemon/net/a.h>\n"), ["quotes"])
        self.assertEqual(rules("daemon/net/a.cc", '#include "../base/a.h"\n'), ["quotes"])


class CMake(unittest.TestCase):
    def test_links(self):
        rooms = "".join(
            f"talkjsd_room({room} DEPS base boost PACKAGES api::x)\n"
            for room in check_imports.ROOMS
            if room != "wire"
        )
        self.assertEqual(check_imports.check_cmake(rooms + "talkjsd_room(wire DEPS base)"), [])
        (_, rule, message), = check_imports.check_cmake(rooms + "talkjsd_room(wire DEPS net)")
        self.assertEqual((rule, message), ("cmake", "wire may not link net"))
        (_, rule, _), = check_imports.check_cmake(rooms)
        self.assertEqual(rule, "cmake")


if __name__ == "__main__":
    unittest.main()
