"""Teaches schemathesis to send application/x-ndjson: openapi.yaml describes one line, so a body is one."""
import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def one_line(context, value):
    return value if isinstance(value, bytes) else (json.dumps(value) + "\n").encode()
