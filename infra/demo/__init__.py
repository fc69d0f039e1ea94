"""The demo: one real ticket on one real project, watched from the terminal, with a kill in the middle."""
