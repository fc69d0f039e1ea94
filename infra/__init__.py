"""Process plumbing: settings, connections, the gateway, the server, and how processes are run together."""
