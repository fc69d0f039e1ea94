"""What runs inside of remote sandboxes: short commands that start a job, look at it, kill it, and carry files.

It is shipped as one file (see `remote.archive`). It is of the standard library alone, for Python 3.8 on, since the
sandbox's image is not ours; and it imports little, since every call of ours starts it anew.
"""
