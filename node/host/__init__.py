"""The ports to the world, and the real world behind them: sockets, TLS, disks, SQLite, entropy, clocks, threads.

`ports` says what a node may ask; `real` wires the real answers. Tests and the simulator bring their own.
"""
