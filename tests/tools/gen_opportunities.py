#!/usr/bin/env python3
"""Deterministic generator of AWS-Partner-Central-like opportunity records (NDJSON).

  gen_opportunities.py -n 200000 -o opps.ndjson [--seed 7]
      [--dup 0.05] [--upd 0.20] [--bad 0.01] [--late 0] [--delete 0] [--reinsert 0] [--tenants 20]
      [--start-id 0] [--truth FILE]

-n       lines written, all kinds together (so files of one -n compare across options).
--dup    share of lines that re-deliver, byte for byte, an earlier line (at-least-once source).
--upd    share of lines that are a newer version of an earlier id (later LastModifiedDate,
         Version+1, stage moved on, amount and next steps changed).
--bad    share of lines that are invalid: a required field missing, a bad e-mail, a negative
         revenue, or an unparsable close date (equal shares). Never re-delivered or updated, so
         the valid set is exact. A bad line has its own id.
--late    share of lines that deliver an older version of an id after a newer one (stale).
--delete  share of lines that delete a live id: {"Id","Catalog","LastModifiedDate","_operation":"delete"}.
--reinsert share of lines that bring a deleted id back with a newer version.
         With these three at 0 the bytes are the same as without them.
--truth FILE  writes the expected live rows as NDJSON: Id, LastModifiedDate, Version, Stage, Amount.
Order: a duplicate or update always follows the line that it repeats, at a random distance inside
the last --window new ids (default 50,000), which is what a paging API connector with overlap gives.

Prints one JSON line with the exact truth: lines, bytes, distinct valid ids, the counts of each kind,
and `outcomes`: what applying the records one at a time in order must count in Lakewright with the pack
aws-partner (inserted, updated, deleted, unchanged, stale, rejected, flagged), the `warned` records and the `live` rows left.
Same seed and options -> same bytes. Uses orjson if it is installed; the bytes are the same.
"""
import argparse, hashlib, json, random, re, sys, time
from datetime import datetime, timedelta, timezone

try:
    import orjson
    dumps, loads = orjson.dumps, orjson.loads
except ImportError:  # the same bytes, slower
    def dumps(o):
        return json.dumps(o, separators=(",", ":"), ensure_ascii=False).encode()

    loads = json.loads

STAGES = ["Prospect", "Qualified", "Technical Validation", "Business Validation", "Committed", "Launched", "Closed Lost"]
REVIEW = ["Pending Submission", "Submitted", "In review", "Approved", "Rejected", "Action Required"]
INDUSTRIES = ["Financial Services", "Healthcare", "Manufacturing", "Retail", "Software and Internet", "Education",
              "Government", "Energy - Oil and Gas", "Media and Entertainment", "Telecommunications", "Life Sciences"]
USECASES = ["Migration / Database Migration", "AI/Machine Learning and Analytics", "Security & Compliance",
            "Containers & Serverless", "Archiving", "Big Data: Data Warehouse / Data Integration / ETL / Data Lake / BI",
            "Business Applications & Contact Center", "Backup & Recovery", "IoT", "Networking"]
DELIVERY = ["SaaS or PaaS", "BYOL or AMI", "Managed Services", "Professional Services", "Resell", "Other"]
NEEDS = ["Co-Sell - Architectural Validation", "Co-Sell - Business Presentation", "Co-Sell - Competitive Information",
         "Co-Sell - Pricing Assistance", "Co-Sell - Technical Consultation", "Co-Sell - Deal Support"]
SOURCES = ["Marketing", "Partner Referral", "AWS Referral", "Outbound", "Inbound", "Event"]
CUR = ["USD", "EUR", "GBP", "JPY", "AUD", "CAD"]
FIRST = "Ana Bo Carla Dev Emi Farah Goran Hana Ivo Jun Kofi Lea Mei Nils Omar Pia Quin Rosa Sven Tala Uma Vera Wen Xia Yara Zoë".split()
LAST = "Almeida Brandt Castillo Dubois Eriksen Fontaine García Hoffmann Ito Jansen Kowalski Li Müller Nakamura Okafor Patel Quiroga Rossi Schmidt Tanaka Urban Varga Weber Xu Yılmaz Zhang".split()
CO_A = "Northwind Blue Harbor Granite Silver Apex Copper Meridian Orchard Pioneer Quartz Redwood Summit Tidal Umber Vertex Willow Zenith Cobalt".split()
CO_B = "Logistics Health Foods Mutual Robotics Energy Media Retail Bank Systems Airlines Pharma Textiles Insurance Motors Studios Water Labs".split()
CO_C = ["Inc.", "GmbH", "Ltd", "S.A.", "LLC", "K.K.", "Pty Ltd", "AG"]
PLACES = [("US", "WA", "Seattle", "981{:02d}"), ("US", "TX", "Austin", "787{:02d}"), ("DE", "Bayern", "München", "803{:02d}"),
          ("GB", "England", "London", "EC1A {:d}BB"), ("JP", "Tokyo", "Chiyoda", "100-00{:02d}"), ("BR", "SP", "São Paulo", "013{:02d}-000"),
          ("FR", "IDF", "Paris", "750{:02d}"), ("IN", "KA", "Bengaluru", "5600{:02d}"), ("AU", "NSW", "Sydney", "20{:02d}")]
STREETS = ["Main St", "Hauptstraße", "Rue de la Paix", "High Road", "Industrial Park Way", "Avenida Paulista", "Harbour View", "5th Ave"]
TITLES = ["CTO", "VP Engineering", "Head of Data", "Cloud Architect", "Procurement Lead", "CISO", "Director IT", "Platform Owner"]
WORDS = """the customer wants to migrate its on premises warehouse to a managed lakehouse so that analysts can query
fresh data within minutes while keeping cost under control and meeting audit rules current batch jobs run nightly and fail
often because source schemas change without notice they evaluated two competitors and asked for a proof of value with five
connectors three regions and a rollback plan security review covers encryption at rest key rotation tenant isolation and
access logs the sponsor expects a decision before quarter end and budget is approved for phase one only integration with
billing ticketing and the partner catalog is required support needs include architecture validation pricing help and
training for twelve engineers success means fewer manual fixes faster month end close and one trusted revenue number""".split()
PRODUCTS = ["Amazon S3", "Amazon EKS", "AWS Glue", "Amazon Redshift", "Amazon Bedrock", "AWS Lambda", "Amazon RDS", "Amazon Kinesis"]
T0 = datetime(2025, 1, 1, tzinfo=timezone.utc)


def text(r, lo, hi):
    n = r.randint(lo, hi)
    s = r.randrange(len(WORDS))
    out = []
    while len(out) < n:
        k = r.randint(4, 9)
        i = r.randrange(len(WORDS))
        out += (WORDS + WORDS)[i:i + k]
    t = " ".join(out[:n])
    return t[0].upper() + t[1:] + "."


def iso(ms):
    d = T0 + timedelta(milliseconds=ms)
    return d.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (ms % 1000)


def make(r, oid, ms, tenants):
    co = f"{r.choice(CO_A)} {r.choice(CO_B)} {r.choice(CO_C)}"
    dom = "".join(c for c in co.lower() if c.isascii() and c.isalpha()) + ".example"
    cc, state, city, pc = r.choice(PLACES)
    contacts = []
    for _ in range(r.randint(1, 3)):
        f, l = r.choice(FIRST), r.choice(LAST)
        user = "".join(c for c in f"{f}.{l}".lower() if c.isascii() and (c.isalpha() or c == "."))
        contacts.append({"FirstName": f, "LastName": l, "Email": f"{user}@{dom}",
                         "Phone": "+%d%09d" % (r.randint(1, 99), r.randrange(10**9)), "BusinessTitle": r.choice(TITLES)})
    cents = int(r.lognormvariate(12.5, 1.2)) + 1000
    stage = r.randrange(5)
    close = (T0 + timedelta(milliseconds=ms, days=r.randint(14, 400))).strftime("%Y-%m-%d")
    return {
        "Id": "O%08d" % oid,
        "Catalog": "AWS",
        "TenantId": "tenant-%03d" % r.randrange(tenants),
        "Arn": "arn:aws:partnercentral:us-east-1:%012d:catalog/AWS/opportunity/O%08d" % (r.randrange(10**12), oid),
        "PartnerOpportunityIdentifier": "CRM-%06x" % r.getrandbits(24),
        "OpportunityType": r.choice(["Net New Business", "Flat Renewal", "Expansion"]),
        "Version": 1,
        "LifeCycle": {"Stage": STAGES[stage], "ReviewStatus": r.choice(REVIEW), "TargetCloseDate": close,
                      "NextSteps": text(r, 6, 14),
                      "NextStepsHistory": [{"Time": iso(max(0, ms - 86400000 * (k + 1))), "Value": text(r, 5, 10)} for k in range(r.randint(0, 2))]},
        "Customer": {"Account": {"CompanyName": co, "Industry": r.choice(INDUSTRIES), "WebsiteUrl": f"https://www.{dom}",
                                 "AwsAccountId": "%012d" % r.randrange(10**12) if r.random() < 0.6 else None,
                                 "Duns": "%09d" % r.randrange(10**9) if r.random() < 0.3 else None,
                                 "Address": {"StreetAddress": f"{r.randint(1, 999)} {r.choice(STREETS)}", "City": city,
                                             "StateOrRegion": state, "PostalCode": pc.format(r.randint(1, 9)), "CountryCode": cc}},
                     "Contacts": contacts},
        "Project": {"Title": text(r, 4, 8), "CustomerBusinessProblem": text(r, 25, 65), "CustomerUseCase": r.choice(USECASES),
                    "DeliveryModels": r.sample(DELIVERY, r.randint(1, 3)),
                    "ExpectedCustomerSpend": [{"Amount": "%d.%02d" % (cents // 100, cents % 100), "CurrencyCode": r.choice(CUR),
                                               "Frequency": "Monthly", "TargetCompany": r.choice(["AWS", "Partner"])}],
                    "SalesActivities": r.sample(["Initialized discussions with customer", "Customer has shown interest in solution",
                                                 "Conducted POC / Demo", "In evaluation / planning stage", "Agreed on solution to Business Problem"], r.randint(1, 3)),
                    "CompetitorName": r.choice(["Oracle Cloud", "On-Prem", "Microsoft Azure", "Google Cloud Platform", "No Competition", "*Other"]),
                    "AdditionalComments": text(r, 3, 20) if r.random() < 0.5 else None},
        "RelatedEntityIdentifiers": {"Solutions": ["S-%07d" % r.randrange(20000) for _ in range(r.randint(1, 4))],
                                     "AwsProducts": r.sample(PRODUCTS, r.randint(0, 3)), "AwsMarketplaceOffers": []},
        "PrimaryNeedsFromAws": r.sample(NEEDS, r.randint(1, 3)),
        "Marketing": {"Source": r.choice(SOURCES), "CampaignName": "FY%d-%s" % (r.randint(24, 27), r.choice(CO_A)) if r.random() < 0.4 else None},
        "NationalSecurity": r.random() < 0.02,
        "CreatedDate": iso(ms),
        "LastModifiedDate": iso(ms),
    }


def update(r, o, ms):
    """A newer version of the same id; o is changed in place (it is the newest known version)."""
    o["Version"] += 1
    o["LastModifiedDate"] = iso(ms)
    lc = o["LifeCycle"]
    lc["Stage"] = STAGES[min(6, STAGES.index(lc["Stage"]) + r.randint(0, 2))]
    lc["ReviewStatus"] = r.choice(REVIEW)
    lc["NextStepsHistory"] = ([{"Time": iso(ms), "Value": lc["NextSteps"]}] + lc["NextStepsHistory"])[:4]
    lc["NextSteps"] = text(r, 6, 14)
    sp = o["Project"]["ExpectedCustomerSpend"][0]
    c = int(float(sp["Amount"]) * 100 * r.uniform(0.7, 1.5)) + 1
    sp["Amount"] = "%d.%02d" % (c // 100, c % 100)
    return o


def spoil(r, o):
    k = r.randrange(4)
    if k == 0:
        if r.random() < 0.5:
            del o["Customer"]["Account"]["CompanyName"]
        else:
            del o["LastModifiedDate"]
        return "missing_required"
    if k == 1:
        o["Customer"]["Contacts"][0]["Email"] = r.choice(["not-an-email", "a@@b.example", "x@", "user name@host.example"])
        return "bad_email"
    if k == 2:
        a = o["Project"]["ExpectedCustomerSpend"][0]
        a["Amount"] = "-" + a["Amount"]
        return "negative_revenue"
    o["LifeCycle"]["TargetCloseDate"] = r.choice(["2026-02-30", "31/12/2026", "soon"])
    return "bad_date"


EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")


def is_date(text):
    try:
        return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", text)) and bool(datetime.strptime(text, "%Y-%m-%d"))
    except ValueError:
        return False


class Oracle:
    """What applying records one at a time in order must give: plain, slow, and written from the
    rules of the pack alone (required fields and dates reject, e-mails flag; key Id, version LastModifiedDate)."""

    def __init__(self):
        self.rows = {}  # Id -> (version, digest of the content or None, what is told of a live row)
        self.outcomes = dict.fromkeys(["inserted", "updated", "deleted", "unchanged", "stale", "rejected", "flagged"], 0)
        self.warned = 0  # negative spend, or revenue in a currency without a rate

    def apply(self, line):
        o = loads(line)
        version = o.get("LastModifiedDate")
        delete = o.get("_operation") == "delete"
        bad = not version or not o.get("Id")
        if not delete:
            account = o.get("Customer", {}).get("Account", {})
            bad = bad or not account.get("CompanyName") or not is_date(o["LifeCycle"]["TargetCloseDate"])
        if bad:
            self.outcomes["rejected"] += 1
            return
        old = self.rows.get(o["Id"])
        live = old is not None and old[2] is not None
        if delete:
            if not live:
                self.outcomes["unchanged"] += 1
                if old is None or version > old[0]:
                    self.rows[o["Id"]] = (version, None, None)
            elif version >= old[0]:
                self.outcomes["deleted"] += 1
                self.rows[o["Id"]] = (version, None, None)
            else:
                self.outcomes["stale"] += 1
            return
        if any(not EMAIL.fullmatch(c["Email"]) for c in o["Customer"]["Contacts"]):
            self.outcomes["flagged"] += 1
        spend = o["Project"]["ExpectedCustomerSpend"][0]
        amount = spend["Amount"] if spend["TargetCompany"] == "AWS" else None
        self.warned += float(spend["Amount"]) < 0 or (amount is not None and (spend["CurrencyCode"] != "USD" or float(amount) <= 0))
        content = hashlib.blake2b(line, digest_size=16).digest()
        if old is None or (not live and version > old[0]):
            outcome = "inserted"
        elif not live or version < old[0]:
            outcome = "stale"
        else:
            outcome = "unchanged" if version == old[0] and content == old[1] else "updated"
        self.outcomes[outcome] += 1
        if outcome in ("inserted", "updated"):
            self.rows[o["Id"]] = (version, content, (o["Version"], o["LifeCycle"]["Stage"], amount))

    def count(self):
        return sum(1 for r in self.rows.values() if r[2])

    def live(self):
        for key in sorted(self.rows):
            version, _, told = self.rows[key]
            if told:
                yield {"Id": key, "LastModifiedDate": version, "Version": told[0], "Stage": told[1], "Amount": told[2]}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-n", type=int, default=200_000)
    ap.add_argument("-o", default="-")
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("--dup", type=float, default=0.05)
    ap.add_argument("--upd", type=float, default=0.20)
    ap.add_argument("--bad", type=float, default=0.01)
    ap.add_argument("--late", type=float, default=0)
    ap.add_argument("--delete", type=float, default=0)
    ap.add_argument("--reinsert", type=float, default=0)
    ap.add_argument("--truth", default=None)
    ap.add_argument("--tenants", type=int, default=20)
    ap.add_argument("--start-id", type=int, default=0)
    ap.add_argument("--window", type=int, default=50_000)
    a = ap.parse_args()
    r = random.Random(a.seed)
    out = sys.stdout.buffer if a.o == "-" else open(a.o, "wb", buffering=1 << 20)
    t0 = time.time()
    ring, nid, nbytes, ms = [], a.start_id, 0, 0
    cnt = {"new": 0, "dup": 0, "upd": 0, "bad": 0, "late": 0, "del": 0, "re": 0}
    kinds = {}
    oracle = Oracle()
    dead = []
    odd = random.Random(a.seed + 1)  # of its own, so that the other lines do not change with it
    for _ in range(a.n):
        ms += r.randint(1, 4000)
        x = r.random()
        y = odd.random() if a.late or a.delete or a.reinsert else 1.0
        kind = None
        if ring and y < a.late:
            e = ring[odd.randrange(len(ring))]
            if len(e) > 2 and not e[3]:
                line, kind = e[2], "late"
        elif ring and y < a.late + a.delete:
            e = ring[odd.randrange(len(ring))]
            if not (len(e) > 3 and e[3]):
                line = dumps({"Id": e[0]["Id"], "Catalog": "AWS", "LastModifiedDate": iso(ms), "_operation": "delete"})
                while len(e) < 4:
                    e.append(e[1])
                e[3], kind = True, "del"
                dead.append(e)
        elif dead and y < a.late + a.delete + a.reinsert:
            e = dead.pop(odd.randrange(len(dead)))
            line = e[1] = dumps(update(odd, e[0], ms))
            e[3], kind = False, "re"
        if kind:
            cnt[kind] += 1
        elif x < a.bad:
            o = make(r, nid, ms, a.tenants)
            nid += 1
            k = spoil(r, o)
            kinds[k] = kinds.get(k, 0) + 1
            cnt["bad"] += 1
            line = dumps(o)
        elif ring and x < a.bad + a.dup:
            line = ring[r.randrange(len(ring))][1]
            cnt["dup"] += 1
        elif ring and x < a.bad + a.dup + a.upd:
            e = ring[r.randrange(len(ring))]
            if a.late and len(e) == 2:
                e.append(e[1])
                e.append(False)
            line = e[1] = dumps(update(r, e[0], ms))
            if len(e) > 3:
                e[3] = False
            cnt["upd"] += 1
        else:
            o = make(r, nid, ms, a.tenants)
            nid += 1
            line = dumps(o)
            cnt["new"] += 1
            if len(ring) < a.window:
                ring.append([o, line])
            else:
                ring[cnt["new"] % a.window] = [o, line]
        oracle.apply(line)
        out.write(line)
        out.write(b"\n")
        nbytes += len(line) + 1
    out.flush()
    if out is not sys.stdout.buffer:
        out.close()
    if a.truth:
        with open(a.truth, "wb") as f:
            for row in oracle.live():
                f.write(dumps(row) + b"\n")
    print(json.dumps({"lines": a.n, "bytes": nbytes, "avg_bytes": round(nbytes / max(1, a.n)), "distinct_valid": cnt["new"],
                      **cnt, "bad_kinds": kinds, "outcomes": oracle.outcomes, "warned": oracle.warned, "live": oracle.count(), "seed": a.seed, "seconds": round(time.time() - t0, 2)}), file=sys.stderr if a.o == "-" else sys.stdout)


if __name__ == "__main__":
    main()
