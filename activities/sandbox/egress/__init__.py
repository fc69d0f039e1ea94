"""The way out of a sandbox: a proxy that lets through what an allowlist names and writes down every decision.

It runs beside one job, as a process of its own with nobody's rights, and imports the standard library and the rules.
"""
