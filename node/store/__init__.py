"""What a node keeps: shares and journals, in append-only volumes that explain themselves.

`store` and `journals` are what the rest of the node uses. Below `store`, for each disk: `writer` gathers, `layout`
decides how a batch lies, `volumes` makes it durable, `reading` checks what it hands out, `index` remembers where
things are, `opening` and `recover` bring an index up to its volumes, `compact` gives space back. `volume` is the
format.
"""
