"""A lean HTTP/1.1 server that runs ASGI 3 applications on the host's streams.

`head` judges what a request says, `reading` and `body` bring its bytes, `answer` decides how a response is framed,
`exchange` is what the application speaks to, `connection` does one exchange after the other, `server` holds all
connections, for as long as the application lives (`lifespan`).

It knows nothing of what is served: S3 and pages are ordinary ASGI applications above it.
"""
