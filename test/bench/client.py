"""A client of Megatest in another make of SQLite: writes one row to the cache at regular times until its input ends.

Usage: client.py CACHE MILLISECONDS SYNCHRONOUS. Megatest writes with synchronous=OFF, Python with FULL if it is not told
otherwise: then each write waits for the disk, too. Prints the time of each write, in ms, as one JSON list.
"""

import json
import select
import sqlite3
import sys
import time

cache, pause, synchronous = sys.argv[1], float(sys.argv[2]) / 1000, sys.argv[3]
assert synchronous in ("OFF", "FULL")
# Megatest's own patience, and SQLite's own way to wait.
connection = sqlite3.connect(cache, timeout=136)
connection.execute(f"PRAGMA synchronous = {synchronous}")
# The newest run stays.
(test,) = connection.execute("SELECT max(id) FROM tests").fetchone()
print("started", flush=True)
times = []
while not select.select([sys.stdin], [], [], pause)[0]:
    begun = time.perf_counter()
    connection.execute("UPDATE tests SET comment = ? WHERE id = ?", (f"write {len(times)}", test))
    connection.commit()
    times.append((time.perf_counter() - begun) * 1000)
print(json.dumps(times))
