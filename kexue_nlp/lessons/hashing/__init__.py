"""Lesson 05, from random signs to binary word vectors."""

NUMBER = "05"
