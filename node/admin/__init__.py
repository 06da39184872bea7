"""How people's commands reach a running node: typed calls over the mesh's own frames on a Unix socket.

The socket `NODE_DIR/admin.sock` has mode 0600, so whoever can open it is the node's owner; nothing else is proven
there. `calls` says what can be asked, `client` asks, `serve` answers by calling the mesh and the vault.
"""
