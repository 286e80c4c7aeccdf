"""Drivers: transports, runtimes, balancers, checks, releases, sinks — one file a driver."""
