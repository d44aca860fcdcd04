"""Lesson 01, the margin loss."""

NUMBER = "01"
