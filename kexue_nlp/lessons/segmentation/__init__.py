"""Lesson 03, Chinese word segmentation."""

NUMBER = "03"
