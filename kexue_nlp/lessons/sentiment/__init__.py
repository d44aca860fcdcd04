"""Lesson 02, sentiment from 1,000 labels."""

NUMBER = "02"
