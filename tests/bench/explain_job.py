"""`explain cell` as a client with one open connection asks it, each answer held to the record at its source."""
import json, random, sys, time

from admin import Admin

COLUMN = "lifecycle_stage"


def lines_at(files, places):
    """The lines of files by (name, number), numbered from 1."""
    found = {}
    for path in files:
        numbers = {n for name, n in places if name == path.name}
        with open(path, "rb") as f:
            for n, line in enumerate(f, 1):
                if n in numbers:
                    found[path.name, n] = line.rstrip(b"\n")
    return found


def explained(node, table, files, cells, seed=7):
    """Seconds of each of many cells of random rows."""
    with node.connect() as c, c.cursor() as cursor:
        cursor.execute(f"SELECT pc_opportunity_id, {COLUMN} FROM {table}")
        rows = cursor.fetch_arrow_table()
    admin, times, answers = Admin(node.addresses()["admin"], node.token), [], []
    picked = random.Random(seed).sample(range(rows.num_rows), cells)
    for i in picked:
        key, value = rows[0][i].as_py(), rows[1][i].as_py()
        begun = time.perf_counter()
        told, payload, place, changes = admin.explain("acme", table, key, COLUMN)
        times.append(time.perf_counter() - begun)
        if json.loads(told) != value or not changes:
            sys.exit(f"bench: {COLUMN} of {key} is explained as {told} with {changes} changes, SQL says {value!r}")
        name, number = place.rsplit(":", 1)
        answers.append((key, (name, int(number)), payload))
    admin.close()
    source = lines_at(files, {place for _, place, _ in answers})
    for key, place, payload in answers:
        if source.get(place) != payload or json.loads(payload)["Id"] != key:
            sys.exit(f"bench: {key} is explained with a record that is not the one at {place[0]}:{place[1]}")
    return times
