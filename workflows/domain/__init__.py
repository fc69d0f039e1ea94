"""Nouns and rules, free of I/O, clocks and Temporal, so that each rule is a table in a test."""
