"""Names the operations that a node answered with nothing but 401 and 403, or never.

usage: unreached.py OPENAPI LOG [SCOPE...]

OPENAPI is openapi.yaml, LOG the node's log as JSON lines. Operations of a SCOPE that the caller was not given are left
out. Prints one operation a line, with the answers that it got; status 1 when there is any.
"""
import collections
import json
import sys

import yaml

METHODS = ("get", "put", "post", "delete", "patch")
REFUSALS = {401, 403}


def answers_of(log):
    """Statuses by "METHOD /route", from the lines of the access log."""
    seen = collections.defaultdict(set)
    for line in log:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if entry.get("event") == "http.request":
            # {path...}: it takes several segments; the description calls it {path}.
            route = entry["route"].replace("...}", "}")
            seen[f"{entry['method']} {route}"].add(entry["status"])
    return seen


def main(openapi, log, left_out):
    with open(openapi, encoding="utf-8") as file:
        paths = yaml.safe_load(file)["paths"]
    with open(log, encoding="utf-8", errors="replace") as file:
        seen = answers_of(file)
    bad = 0
    for path, item in paths.items():
        for method in METHODS:
            if method not in item or item[method]["x-scope"] in left_out:
                continue
            name = f"{method.upper()} {path}"
            if seen[name] <= REFUSALS:
                bad += 1
                print(f"not reached: {name}: {sorted(seen[name]) or 'no request'}")
    return bad


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1], sys.argv[2], set(sys.argv[3:])) else 0)
