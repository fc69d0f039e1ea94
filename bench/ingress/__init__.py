"""The ingress benchmark: signed webhooks at a steady rate, with a Temporal server that goes away and comes back."""
