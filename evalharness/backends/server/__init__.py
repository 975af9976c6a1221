"""Any OpenAI-compatible server as a backend: `server:MODEL@http://host:port/v1`.

address.py    the spec's model and address, and the key
client.py     one request: attempts, back-off, what is worth another attempt; faults.py its errors
answers.py    what a server may say, validated
writing.py    Generation: what is sent; reading.py what comes back: thinking and answer
scoring.py    log-likelihoods of a text that the server has read: read_tokens.py its tokens, which
              it echoes (echoing.py) or is told to write (forcing.py)
options.py    what a spec may set
opening.py    what is found out about a server before anything is asked of it
backend.py    the two as a Backend, several requests at once
"""
