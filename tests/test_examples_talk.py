#!/usr/bin/env python3
"""Talks to the examples that read what a person types, as a person does: reads first, then answers.

    test_examples_talk.py FOLDER_OF_PROGRAMS
"""
import os
import subprocess
import sys
import unittest

FOLDER = sys.argv.pop(1)
FOR_EVER_S = 300  # a program that hangs fails the test; no test waits that long otherwise


class Talk:
    def __init__(self, name, *arguments):
        self.program = subprocess.Popen([os.path.join(FOLDER, name), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.heard = b""

    def hear(self, words):
        """Reads until the words have come."""
        while words not in self.heard:
            piece = os.read(self.program.stdout.fileno(), 4096)
            if not piece:
                raise AssertionError(f"it ended; it said {self.heard!r}")
            self.heard += piece

    def say(self, text):
        os.write(self.program.stdin.fileno(), text)

    def end(self):
        """What it has said in all."""
        rest, _ = self.program.communicate(timeout=FOR_EVER_S)
        assert self.program.returncode == 0, self.program.returncode
        return (self.heard + rest).decode()


class Examples(unittest.TestCase):
    def test_a_stream_is_stopped_by_enter(self):
        talk = Talk("example_streaming", "2")  # half a minute in all
        talk.hear(b"A leat")
        talk.say(b"\n")
        said = talk.end()
        self.assertTrue(said.endswith("\n[stopped]\n"), said)
        self.assertNotIn("there is no bread", said)  # its last words

    def test_a_person_approves_the_second_draft(self):
        talk = Talk("example_human_in_the_loop")
        talk.hear(b"Draft 1: The sluice opens when the river falls.\nPublish it (y/n)? ")
        talk.say(b"n\n")
        talk.hear(b"Draft 2: The leat carries the water to the mill.\nPublish it (y/n)? ")
        talk.say(b"y\n")
        self.assertTrue(talk.end().endswith("published\n"))

    def test_nobody_is_there(self):
        talk = Talk("example_human_in_the_loop")
        talk.hear(b"Publish it (y/n)? ")
        talk.program.stdin.close()
        talk.program.stdin = None
        self.assertTrue(talk.end().endswith("nobody is there\n"))


unittest.main(verbosity=2)
