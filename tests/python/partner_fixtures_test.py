"""Every recorded body of Partner Central lands in Silver, field by field, or in the dead letters with its reason.

The expected value of a field is read from the body by the pack's own text, with a reader of paths that shares nothing with the
product's.
"""

import json
import re
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest
import yaml

from lake import ROOT, Node
from partner import FIXTURES

PACK = ROOT / "packs" / "aws-partner"
ENTITIES = yaml.safe_load((PACK / "entities.yaml").read_text())["entities"]
# Body, the member that lists records (none: the body is one), the stream it is of.
LANDS = [
    ("pc_GetOpportunity", None, "opportunity"),
    ("pc_lead_GetOpportunity", None, "opportunity"),
    ("pc_lead_GetOpportunity_after", None, "opportunity"),
    ("pc_aws_referral_GetOpportunity_Check_Stage", None, "opportunity"),
    ("pc_ListOpportunities", "OpportunitySummaries", "opportunity"),
    ("pc_GetAwsOpportunitySummary", None, "aws_opportunity_summary"),
    ("pc_GetAwsOpportunitySummary_deal_sizing", None, "aws_opportunity_summary"),
    ("pc_ListSolutions", "SolutionSummaries", "solution"),
    ("pc_GetEngagement", None, "engagement"),
    ("pc_lead_GetEngagement", None, "engagement"),
    ("pc_ListEngagements", "EngagementSummaryList", "engagement"),
    ("pc_GetEngagementInvitation", None, "engagement_invitation"),
    ("pc_lead_GetEngagementInvitation", None, "engagement_invitation"),
    ("pc_ListEngagementInvitations", "EngagementInvitationSummaries", "engagement_invitation"),
    ("pc_aws_referral_ListEngagementInvitations", "EngagementInvitationSummaries", "engagement_invitation"),
    ("pc_ListEngagementResourceAssociations", "EngagementResourceAssociationSummaries", "resource_association"),
]
# Requests, events and parts that are no record of the stream they are taken for, and where that shows.
DEAD = [
    ("pc_req_CreateOpportunity", "opportunity", "schema", "$.Id"),
    ("pc_GetResourceSnapshot", "opportunity", "schema", "$.Id"),
    ("pc_lead_UpdateEngagementContext", "engagement_invitation", "schema", "$.Id"),
    ("pc_ListEngagementMembers", "engagement", "schema", "$.Id"),
    ("eb_pc_recorded_events", "opportunity", "schema", "$.Id"),
]


def follow(value, path):
    """The values at a path, in order; `[*]` and `[A=b]` may give more than one or none."""
    values = [value]
    for name, index in re.findall(r"\.([A-Za-z_]+)|\[([^\]]+)\]", path):
        if name:
            values = [v.get(name) for v in values if isinstance(v, dict)]
        elif index == "*":
            values = [item for v in values for item in (v or [])]
        elif "=" in index:
            key, wanted = index.split("=")
            values = [next((i for i in v or [] if i.get(key) == wanted), None) for v in values]
        else:
            values = [v[int(index)] if v and len(v) > int(index) else None for v in values]
    return values


def first(body, paths):
    for path in paths.split(" | "):
        for value in follow(body, path):
            if value is not None and not isinstance(value, (dict, list)):
                return value
    return None


def instant(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole).replace(microsecond=int(f"{fraction:0<6}"[:6] or 0), tzinfo=timezone.utc)


def expected(field, body):
    kind, path = field["type"], field["from"]
    if kind == "list<string>":
        items = [i for i in follow(body, path) if i is not None]
        listed = next(iter(follow(body, path.split("[*]")[0])), None) if "[*]" in path else None
        return items if listed is not None else None
    if kind == "jsonb":
        return next((v for v in follow(body, path) if v is not None), None)
    value = first(body, path)
    if "map" in field:
        mapped = field["map"].get(str(value)) if value is not None else None
        if mapped is None and not field.get("only_mapped"):
            mapped = value
        value = mapped if mapped is not None else field.get("otherwise")
    if value is None:
        return None
    if kind.startswith("decimal"):
        return Decimal(str(value)).quantize(Decimal("0.01"))
    if kind == "bool":
        return {"true": True, "false": False}[str(value).lower()]
    return {"int64": int, "date": lambda v: date.fromisoformat(v[:10]), "timestamp": instant}.get(kind, str)(value)


@pytest.fixture(scope="module")
def shared_node(tmp_path_factory):
    """One node: each body has a tenant of its own."""
    node = Node(tmp_path_factory.mktemp("bodies"))
    node.start()
    yield node
    node.kill()


def takes(entity, body):
    only = entity.get("only")
    return only is None or first(body, only["path"]) in only["is"]


def land(node, slug, stream, records):
    (node.source / slug).mkdir()
    (node.source / slug / "records.ndjson").write_text("".join(json.dumps(r) + "\n" for r in records))
    node.token = None
    node.setup(slug, url=str(node.source / slug), stream=stream)
    return node.settled(node.run(slug), slug)


def records(name, member=None):
    if name.startswith("eb_"):
        return [json.loads(line) for line in (FIXTURES / f"{name}.jsonl").read_text().splitlines()]
    body = json.loads((FIXTURES / f"{name}.json").read_text())
    return body[member] if member else [body]


def slug_of(name):
    return re.sub("[^a-z0-9]+", "-", name.lower())


@pytest.mark.parametrize("name,member,stream", LANDS, ids=[name for name, _, _ in LANDS])
def test_a_recorded_body_stands_in_silver_field_by_field(shared_node, name, member, stream):
    node, bodies = shared_node, records(name, member)
    land(node, slug_of(name), stream, bodies)
    assert node.sql("SELECT count(*) FROM system.dead_letters") == [(0,)]
    checked = 0
    for entity in (e for e in ENTITIES if stream in e["streams"]):
        mine = [b for b in bodies if takes(entity, b)]
        fields = [f for f in entity["fields"] if f.get("from", "$id") not in ("$id", "$tenant_id", "$payload")]
        names = ", ".join(f'"{f["name"]}"' for f in fields)
        payload = "payload_json" if has_payload(entity) else "NULL"
        rows = node.sql(f'SELECT {names}, {payload} FROM silver.{entity["table"]}')
        assert len(rows) == len(mine), entity["name"]
        key = next(i for i, f in enumerate(fields) if f["from"] == entity["key"]["path"])
        for body in mine:
            row = next(r for r in rows if r[key] == first(body, entity["key"]["path"]))
            for field, value in zip(fields, row):
                if field["type"] == "jsonb":
                    value = None if value is None else json.loads(value)
                assert value == expected(field, body), (entity["name"], field["name"])
                checked += value is not None
            if has_payload(entity):
                assert json.loads(row[-1]) == body
    assert checked >= 3 * len(bodies)


def has_payload(entity):
    return any(f["from"] == "$payload" for f in entity["fields"] if "from" in f)


@pytest.mark.parametrize("name,stream,reason,where", DEAD, ids=[name for name, *_ in DEAD])
def test_what_is_no_record_is_a_dead_letter_with_its_reason(shared_node, name, stream, reason, where):
    node, bodies = shared_node, records(name)
    land(node, slug_of(name), stream, bodies)
    letters = node.sql("SELECT reason, detail, payload FROM system.dead_letters")
    assert len(letters) == len(bodies)
    for found, detail, payload in letters:
        assert found == reason and where in detail, (found, detail)
        assert json.loads(payload) in bodies
