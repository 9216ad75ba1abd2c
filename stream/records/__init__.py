"""What goes over the wire: events in, updates and dead letters out. Pure; knows no client."""
