"""Packs that change: a field named late has its history, rows are made again beside the live table, changes are told."""

import json
import shutil
import threading

from lake import ROOT, wait_until

TABLE = "silver.note"

PACK = """pack: notes
entities:
  - name: Note
    table: note
    streams: [notes]
    key: {path: $.id}
    version: {path: $.at, type: int64}
    operation: {path: $.op, delete: [gone]}
    fields:
      - {name: note_id, type: string, from: $.id}
      - {name: text, type: string, from: $.text}
      - {name: size, type: int64, from: $.size}
    rules:
      - {name: has_text, type: schema, required: [note_id]}
"""


class Notes:
    def __init__(self, node):
        self.node, self.files = node, 0
        node.token = node.tenant("acme")
        self.pack = node.dir / "pack"
        self.pack.mkdir()
        self.load(PACK)
        config = {"url": str(node.source), "stream": "notes", "key_scope": "notes"}
        node.cli("connector", "create", "--tenant", "acme", "--name", "notes", "--kind", "files", "--config", json.dumps(config))

    def load(self, text, pin=True, check=True):
        (self.pack / "entities.yaml").write_text(text)
        return self.node.cli("pack", "load", str(self.pack), *(["--pin"] if pin else []), "--tenant", "acme", check=check)

    def plan(self, text):
        self.load(text, pin=False)
        (newest,) = [p for p in self.node.json("pack", "list") if not p["pinned_by"]][:1]
        return self.node.json("pack", "plan", newest["hash"], "--tenant", "acme")[0]

    def land(self, *records):
        self.files += 1
        (self.node.source / f"{self.files:04}.ndjson").write_text("".join(json.dumps(r) + "\n" for r in records))
        ended = self.node.settled(self.node.run("acme", "notes"))
        assert ended["status"] == "succeeded", ended

    def described(self):
        return self.node.json("table", "describe", TABLE, "--tenant", "acme")

    def rebuilt(self, times=None):
        """Waits until no rebuild is wanted."""
        return wait_until("the table is made again", lambda: (r := self.described().get("rebuild")) and not r["reason"] and r["done_at"] and r)

    def verified(self):
        done = self.node.cli("table", "verify", TABLE, "--from-bronze", "--tenant", "acme", check=False)
        assert done.returncode == 0, done.stderr
        assert self.node.cli("table", "verify", TABLE, "--tenant", "acme", check=False).returncode == 0


def note(n, at=1, **more):
    return {"id": f"n{n}", "at": at, "text": f"text {n}", "size": n, "author": {"name": f"a{n % 3}"}, **more}


def with_author(text=PACK):
    return text.replace("    rules:", "      - {name: author, type: string, from: $.author.name}\n    rules:")


def test_a_field_that_is_named_late_has_its_history_without_the_source(node):
    notes = Notes(node)
    notes.land(*(note(n) for n in range(30)))
    notes.land(note(1, 2, text="newer"), {"id": "n2", "at": 2, "op": "gone"})
    assert json.loads(node.sql(f"SELECT _extra FROM {TABLE} WHERE note_id = 'n5'")[0][0]) == {"author": {"name": "a2"}}
    plan = notes.plan(with_author())
    assert plan["action"] == "add_columns" and plan["columns"] == ["author"] and "author" in plan["reason"], plan
    # The source is away: Bronze has it all.
    shutil.move(node.source, node.dir / "away")
    notes.load(with_author())
    done = notes.rebuilt()
    assert done["pack"] and done["upto"] > 0
    rows = dict(node.sql(f"SELECT note_id, author FROM {TABLE}"))
    assert rows == {f"n{n}": f"a{n % 3}" for n in range(30) if n != 2}
    assert node.sql(f"SELECT text, _extra FROM {TABLE} WHERE note_id = 'n1'") == [("newer", None)]
    # Those who follow the table hear of it once, and why.
    changes = node.sql(f"SELECT _change, COUNT(*) FROM {TABLE}__changes WHERE _change_cause = 'rebuild' GROUP BY 1 ORDER BY 1")
    assert changes == [("update_after", 29), ("update_before", 29)]
    assert node.sql(f"SELECT DISTINCT _change_cause FROM {TABLE}__changes ORDER BY 1") == [("rebuild",), ("source",)]
    notes.verified()
    # Later records go on from there.
    shutil.move(node.dir / "away", node.source)
    notes.land(note(1, 3, author={"name": "other"}), note(40))
    assert dict(node.sql(f"SELECT note_id, author FROM {TABLE} WHERE note_id IN ('n1', 'n40')")) == {"n1": "other", "n40": "a1"}
    notes.verified()


def test_types_become_wider_and_columns_are_made_otherwise(node):
    notes = Notes(node)
    notes.land(*(note(n) for n in range(10)), note(99, size="12.5"))
    assert node.sql(f"SELECT COUNT(*) FROM {TABLE}") == [(10,)]
    wide = PACK.replace("name: size, type: int64", "name: size, type: 'decimal(38,2)'")
    assert notes.plan(wide)["action"] == "rebuild"
    notes.load(wide)
    notes.rebuilt()
    # What did not fit before does now.
    assert [float(s) for (s,) in node.sql(f"SELECT size FROM {TABLE} ORDER BY size")] == [*range(10), 12.5]
    narrow = notes.plan(PACK.replace("name: size, type: int64", "name: size, type: date"))
    assert narrow["action"] == "refused" and "size" in narrow["reason"]
    assert notes.load(PACK, check=False).returncode, "a narrower type is refused"
    assert notes.plan(wide.replace("key: {path: $.id}", "key: {path: $.text}"))["action"] == "refused"
    other = wide.replace("from: $.text", "from: $.author.name")
    notes.load(other)
    wait_until("rows are made otherwise", lambda: node.sql(f"SELECT DISTINCT text FROM {TABLE} ORDER BY 1") == [("a0",), ("a1",), ("a2",)])
    notes.verified()


def test_a_new_entity_on_an_old_stream_begins_with_its_history(node):
    notes = Notes(node)
    notes.land(*(note(n) for n in range(20)))
    second = PACK + PACK.split("entities:\n")[1].replace("name: Note", "name: Author").replace("table: note", "table: author").replace(
        "key: {path: $.id}", "key: {path: $.author.name}"
    )
    assert [p["action"] for p in [notes.plan(second)]] == ["nothing"]
    notes.load(second)
    wait_until("the new table is filled", lambda: node.sql("SELECT COUNT(*) FROM silver.author") == [(3,)])
    notes.land(note(50, author={"name": "new"}))
    wait_until("and goes on", lambda: node.sql("SELECT COUNT(*) FROM silver.author") == [(4,)])


def test_queries_and_records_go_on_while_a_table_is_made_again_and_kills_lose_nothing(node):
    notes = Notes(node)
    for part in range(10):
        notes.land(*(note(n) for n in range(part * 200, part * 200 + 200)))
    for at in ("rebuild.swap.before", "rebuild.swap.after"):
        node.stop()
        node.start(crash_at=at)
        text = with_author() if at.endswith("before") else with_author().replace("$.author.name", "$.author.full")
        notes.load(text, check=False)
        wait_until("the node ends", lambda: not node.alive())
        node.start()
        notes.rebuilt()
        notes.verified()
    seen, over = [], threading.Event()

    def ask():
        while not over.is_set():
            seen.append(node.sql(f"SELECT COUNT(*), COUNT(author) FROM {TABLE}")[0])

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        notes.load(with_author())
        notes.land(*(note(n, 2) for n in range(50)))
        wait_until("all authors are there", lambda: node.sql(f"SELECT COUNT(author) FROM {TABLE}") == [(2000,)])
        notes.rebuilt()
    finally:
        over.set()
        asking.join()
    # A query sees the table of before, with what came since, or the new one: never a part of it.
    assert {n for n, _ in seen} == {2000} and {a for _, a in seen} <= {0, 50, 2000}, set(seen)
    notes.verified()


def test_an_operator_has_a_table_made_again(node):
    notes = Notes(node)
    notes.land(*(note(n) for n in range(10)))
    before = node.sql(f"SELECT * FROM {TABLE} ORDER BY note_id")
    done = node.json("table", "rebuild", TABLE, "--tenant", "acme")
    assert done["done_at"] and done["upto"] > 0
    assert node.sql(f"SELECT * FROM {TABLE} ORDER BY note_id") == before
    assert node.sql(f"SELECT COUNT(*) FROM {TABLE}__changes WHERE _change_cause = 'rebuild'") == [(0,)]
    notes.verified()
    assert node.cli("table", "rebuild", "bronze.files_notes", "--tenant", "acme", check=False).returncode
