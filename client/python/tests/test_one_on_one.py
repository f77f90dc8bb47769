"""Ids of one-on-one conversations."""

import unittest

import talkjsd

# The vectors that TalkJS's JavaScript SDK gave, with what is odd about JSON and UTF-16.
VECTORS = [
    ("1234", "abcd", "35ec37e6e0ca43ac8ccc"),
    ("abcd", "1234", "35ec37e6e0ca43ac8ccc"),
    ("aa", "bb", "fd031b78f1add01539dc"),
    ("alice", "bob", "4714b845b86fbe0ed913"),
    ("Zed", "adam", "6c16e1d063ddd1d1467b"),
    ("10", "9", "054b7c72c5481c512806"),
    ("a", "a", "31ad8b1d9fc4c78e38b9"),
    ("ünï", "zoë", "0b4ff953f415b51e2f83"),
    ("a\"b", "c\\d", "a78b15488a088268ea28"),
    ("a/b", "c", "d6ec4ce22834d3b76fc2"),
    ("a\nb", "c", "ee72899508c95ac2c471"),
    ("<x>", "&y", "61c7db0b89a870f41611"),
    ("😀", "a", "6d40ef8b028717b348c2"),
    ("\uE000", "😀", "85c58968923475b13637"),
    ("\x7f", "x", "14988393e9315cbdfc36"),
]


class OneOnOneId(unittest.TestCase):

    def test_it_is_the_one_of_the_sdk_in_either_order(self):
        for user_a, user_b, wanted in VECTORS:
            with self.subTest(user_a + " " + user_b):
                self.assertEqual(talkjsd.one_on_one_id(user_a, user_b), wanted)
                self.assertEqual(talkjsd.one_on_one_id(user_b, user_a), wanted)

    def test_it_tells_users_apart_whatever_they_contain(self):
        self.assertNotEqual(talkjsd.one_on_one_id("a", 'b","c'), talkjsd.one_on_one_id('a","b', "c"))


if __name__ == "__main__":
    unittest.main()
