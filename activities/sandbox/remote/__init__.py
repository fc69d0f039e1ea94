"""Providers whose sandboxes are elsewhere: containers and microVMs that are told what to do by short commands."""
