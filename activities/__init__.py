"""The world: a folder per port, a file per vendor. An adapter translates and nothing more."""
