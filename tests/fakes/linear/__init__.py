"""A double of Linear: its own schema, executed over what the double remembers."""
