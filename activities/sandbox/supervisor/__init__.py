"""The process beside each local job: it starts the sandbox, watches it, and writes down how it ended.

It outlives the worker that started it. To start fast it imports next to nothing of the standard library, and nothing
of Pawl: one job costs one of these.
"""
