"""Lesson 04, whose side the sentence is on."""

NUMBER = "04"
