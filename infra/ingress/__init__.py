"""Webhook ingress: what Linear, GitHub and others send reaches its ticket once, or the sender is told to try again."""
