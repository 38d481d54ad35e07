"""What the real service does that its model does not say, by name; each may be switched."""

from __future__ import annotations

from collections.abc import Iterable

# name -> (on by default, what it does). Those that recorded bodies or the documents show are on.
ODDITIES: dict[str, tuple[bool, str]] = {
    "amount-text": (True, "ListOpportunities writes the amount 531 as 531.0, GetOpportunity as it was given"),
    "amount-forms": (True, "some amounts are empty, end in a point, have many digits, or stand behind an EstimationUrl alone"),
    "explicit-nulls": (True, "absent members are sent as null, even those that the model requires"),
    "documented-enums": (
        True,
        "values that documents and recordings show and the model does not: Frequency None, In Review, Closed Won, Do Not Need Support from AWS Sales Rep",
    ),
    "content-type": (True, "some answers say application/json instead of application/x-amz-json-1.0"),
    "self-entries": (True, "spend has a Self entry (total contract value) beside AWS's monthly one, with ExpectedContractDuration"),
    "missing-stage": (True, "an opportunity that AWS has just referred has no LifeCycle.Stage"),
    "same-instant": (True, "some changes come in groups with one LastModifiedDate"),
    "aws-side-silent": (True, "a change on AWS's side shows in GetAwsOpportunitySummary and does not move LastModifiedDate"),
    "engagement-precision": (True, "engagement instants have nanoseconds in Get and hundredths in List"),
    "modified-absent": (True, "an engagement never changed has no ModifiedAt, ModifiedBy and no context id"),
    "association-extras": (True, "resource associations carry ResourceArn and ResourceOwner, which the model does not have"),
    "invitation-without-engagement": (True, "some opportunity invitations have no EngagementId and no ParticipantType"),
    "solution-category-null": (True, "some solutions have no Category, though the model requires it"),
    "list-lag": (False, "List shows a change up to 30 seconds after Get, each change after its own time, so they come out of order"),
    "duplicate-items": (False, "a page may begin with the last item of the page before"),
    "short-pages": (False, "pages may have fewer items than asked for, even none, and still a NextToken"),
    "trailing-token": (False, "a full last page has a NextToken, which leads to an empty page"),
    "offset-paging": (False, "NextToken counts items, so that changes between pages make items slip or come twice"),
    "invented-enums": (False, "changes bring stages and review states that nobody has named"),
    "unknown-fields": (False, "changes bring members that the model does not have"),
}

LIST_LAG_SECONDS = 30


class Oddities:
    """The switches of one server."""

    def __init__(self, switches: Iterable[str] = ()):
        self._on = {name: on for name, (on, _) in ODDITIES.items()}
        for switch in switches:
            name, _, state = switch.partition("=")
            if name == "all":
                for each in ODDITIES:
                    self.switch(each, _state(state))
            else:
                self.switch(name, _state(state))

    def switch(self, name: str, on: bool) -> None:
        if name not in ODDITIES:
            raise ValueError(f"no oddity {name}; there are {', '.join(ODDITIES)}")
        self._on[name] = on

    def __getitem__(self, name: str) -> bool:
        return self._on[name]

    def told(self) -> dict[str, bool]:
        return dict(self._on)


def _state(text: str) -> bool:
    if text not in ("on", "off", ""):
        raise ValueError(f"an oddity is on or off, not {text}")
    return text != "off"
