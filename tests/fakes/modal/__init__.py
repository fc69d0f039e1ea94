"""A double of Modal: the real client talks to it over gRPC, and each of its sandboxes is a local box."""
