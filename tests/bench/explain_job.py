"""`explain cell` as a client with one open connection asks it, each answer held to the record at its source."""
import json, random, sys

from admin import Admin

COLUMN = "lifecycle_stage"


def record_at(files, place):
    """The line of a file at `name@offset`."""
    name, offset = place.rsplit("@", 1)
    with open({f.name: f for f in files}[name.rsplit("/", 1)[-1]], "rb") as f:
        f.seek(int(offset))
        return f.readline().rstrip(b"\n")


def explained(node, table, files, cells, seed=7):
    """Seconds of each of many cells of random rows."""
    with node.connect() as c, c.cursor() as cursor:
        cursor.execute(f"SELECT pc_opportunity_id, {COLUMN} FROM {table}")
        rows = cursor.fetch_arrow_table()
    admin, times, answers = Admin(node.addresses()["admin"], node.token), [], []
    picked = random.Random(seed).sample(range(rows.num_rows), cells)
    for i in picked:
        key, value = rows[0][i].as_py(), rows[1][i].as_py()
        told, payload, place, changes = admin.explain("acme", table, key, COLUMN)
        times.append(admin.took)
        if json.loads(told) != value or not changes:
            sys.exit(f"bench: {COLUMN} of {key} is explained as {told} with {changes} changes, SQL says {value!r}")
        answers.append((key, place, payload))
    admin.close()
    for key, place, payload in answers:
        if record_at(files, place) != payload or json.loads(payload)["Id"] != key:
            sys.exit(f"bench: {key} is explained with a record that is not the one at {place}")
    return times
