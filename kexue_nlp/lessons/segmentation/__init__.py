"""Lesson 03, Chinese word segmentation."""
