"""The shell: everything that needs a socket, a clock or an `await`. Nothing in here decides.

head.py     the head of a request, read strictly                       pure
chunked.py  a chunked body, decoded strictly                           pure
edge.py     a client's connection: limits, one request per judgement, hijack
address.py  where the engine is, and why it cannot be reached
engine.py   connections to the daemon
relay.py    a tunnel, once the engine has answered 101 or its raw 200
gateway.py  the ASGI app: a request's way from judging to the record
answers.py  what of the engine's head a client is told
lookups.py  sockproxy's own questions to the engine
live.py     the policy in force
listen.py   addresses and the sockets bound to them
server.py   listeners, signals, settings
limits.py   every limit, with its default
"""
