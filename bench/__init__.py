"""`make bench`: what a ticket costs this machine, and how soon work goes on after a kill."""
