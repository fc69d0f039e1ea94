"""The gateway: the one process that holds model keys, meters money and keeps receipts."""
