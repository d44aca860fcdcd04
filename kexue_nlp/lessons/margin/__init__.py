"""Lesson 01, the margin loss."""
