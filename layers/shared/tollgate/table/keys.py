"""Every partition and sort key of the table, and the only place that writes a ``#``.

External ids are percent-encoded, so no id can smuggle a separator into a key (design section 6). An entity's own item
is keyed by its external id; whatever hangs under it is keyed by its internal uid (Q-01), so that an id which was
deleted can be created again and starts empty. ``docs/data-model.md`` shows these builders as a chart; a test compares.
"""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import quote

ENTITY = "#"
METADATA = "METADATA"
OBJECT_PERMISSION = "OBJECTPERMISSION"
# The copy of what was deleted, beside the record of its deletion.
ARCHIVE = "ARCHIVE"
PLATFORM = "platform"
NO_ORGANIZATION = "none"
# Parent of everything in the model catalogue: one strongly consistent query reads it whole.
CATALOGUE = "CATALOGUE"
CATALOGUE_VERSION = "VERSION"
# The platform's own limits, read with the catalogue, because they count for every call.
PLATFORM_LIMITS = "LIMITS"
# Lists over the whole platform (GSI2, and GSI1 where the platform is the only owner).
ORGANIZATIONS = "ORGANIZATIONS"
TEAMS = "TEAMS"
CREDENTIALS = "CREDENTIALS"
USERS = "USERS"
# Links to all keys that are not revoked, and to the revoked ones.
KEYS = "KEYS"
REVOKED_KEYS = "REVOKEDKEYS"
# Those users who have a role on the platform, and the item that counts them.
ADMIN_USERS = "ADMINUSERS"
# A user's password, beside him.
PASSWORD = "PASSWORD"  # noqa: S105 (a sort key)
CUSTOMERS = "CUSTOMERS"
# Bytes of an id beside the time in a list's sort key.
_LONGEST_LISTED = 960
# Those customers who are blocked.
BLOCKED_CUSTOMERS = "BLOCKEDCUSTOMERS"
BUDGETS = "BUDGETS"
# Beside an alias: what was said of its targets that nothing depends on.
MODEL_PARAMS = "PARAMS"
AUDIT = "AUDIT"
ALERTS = "ALERTS"
ALERT_RULES = "ALERTRULES"
WEBHOOKS = "WEBHOOKS"
DELETED_ORGANIZATIONS = "DELETEDORGANIZATIONS"
DELETED_TEAMS = "DELETEDTEAMS"
# Partition of the DUE index that holds deletions that are not done.
DELETIONS = "DELETIONS"
# Partition of the DUE index that holds users who are gone, while something of theirs is left.
USER_REMOVALS = "USERREMOVALS"
# Partition of the DUE index that holds alerts with deliveries to make.
DELIVERIES = "DELIVERIES"
# What a partition of usage buckets is of. An owner is a team, an organization's own keys, or the platform's.
USAGE_OWNER = "OWNER"
USAGE_KEY = "KEY"
USAGE_USER = "USER"
USAGE_CUSTOMER = "CUSTOMER"
USAGE_PROJECT = "PROJECT"
USAGE_TAG = "TAG"
# Sums over owners for days that are closed.
USAGE_ORGANIZATION = "ORGANIZATION"
USAGE_PLATFORM = "PLATFORM"
USAGE_ALL_OWNERS = "all"
# Beside an owner's buckets: what its jobs come to since it exists.
USAGE_TOTAL = "TOTAL"
# Which days are closed, and which were touched after that.
USAGE_DAYS = "USAGE#DAYS"
# Partitions of GSI2 that the owners' buckets are spread over.
USAGE_SLICES = 8
# A name in a usage key is itself up to this length, else its digest: callers invent tags and customers.
_USAGE_NAME_LENGTH = 1000
# Partition of the DUE index that holds counter items with holds to expire.
SWEEP_PARTITIONS = 8
# Partitions of the DUE index that hold the teams and organizations whose account a schedule has to look at.
REFILL_PARTITIONS = 8
# Partitions of the DUE index that hold open jobs, to be looked at when nothing was heard of them for long.
ZOMBIE_PARTITIONS = 8


def encoded(external_id: str) -> str:
    """An external id as it stands in a key: everything but letters, digits and ``-_.~`` percent-encoded."""
    return quote(external_id, safe="")


def fits(external_id: str) -> bool:
    """Whether an id can be listed by creation: of a sort key DynamoDB takes 1,024 bytes."""
    return len(encoded(external_id)) <= _LONGEST_LISTED


def organization(organization_id: str) -> str:
    return f"ORG#{encoded(organization_id)}"


def team(team_id: str) -> str:
    return f"TEAM#{encoded(team_id)}"


def key(key_id: str) -> str:
    """``key_id`` is the SHA-256 of the key string, in hex."""
    return f"KEY#{key_id}"


def user(user_id: str) -> str:
    return f"USER#{encoded(user_id)}"


def email(address: str) -> str:
    """Guard of an e-mail address, which only one user may have; ``address`` in lower case."""
    return f"EMAIL#{encoded(address)}"


def sso_id(sso_user_id: str) -> str:
    """Guard of the id that an identity provider has for a user; only one user may have it."""
    return f"SSO#{encoded(sso_user_id)}"


def total(name: str) -> str:
    """How long a list is, in parts; ``name`` is the list's."""
    return f"TOTAL#{encoded(name)}"


def total_part(number: int) -> str:
    return f"PART#{number}"


def session(session_id: str) -> str:
    """A login; ``session_id`` is the SHA-256 of its token's id, in hex."""
    return f"SESSION#{session_id}"


def login_attempts(address: str) -> str:
    """How often a password was tried for an e-mail address lately; ``address`` in lower case, known or not."""
    return f"LOGIN#{encoded(address)}"


def members_of(owner_uid: str) -> str:
    """The memberships of a team or of an organization; the sort key is ``member``."""
    return f"MEMBERS#{owner_uid}"


def member(user_uid: str = "") -> str:
    """A membership under its team or organization; without a uid the prefix of all of them."""
    return f"MEMBER#{user_uid}"


def memberships_of(user_uid: str) -> str:
    """The memberships of a user, in teams and organizations."""
    return f"USER#{user_uid}#MEMBERSHIPS"


def customer(customer_id: str) -> str:
    """An end user of whom something is known; those without an item have no limits (Q-53)."""
    return f"CUSTOMER#{encoded(customer_id)}"


def budget(budget_id: str) -> str:
    """A budget that several entities share (Q-52)."""
    return f"BUDGET#{encoded(budget_id)}"


def tag(name: str = "") -> str:
    """A tag with a budget, under ``CATALOGUE``; without a name the prefix of all of them."""
    return f"TAG#{encoded(name)}"


def teams_of(organization_uid: str | None) -> str:
    return f"ORG#{organization_uid or NO_ORGANIZATION}#TEAMS"


def keys_of(team_uid: str) -> str:
    return f"TEAM#{team_uid}#KEYS"


def own_keys_of(organization_uid: str | None) -> str:
    """The keys without a team: of an organization, or of nobody but the platform."""
    return f"ORG#{organization_uid or NO_ORGANIZATION}#KEYS"


def keys_of_user(user_id: str) -> str:
    """The keys that name a user, whether somebody has made him or not."""
    return f"USER#{encoded(user_id)}#KEYS"


def keys_in(organization_uid: str | None, *, revoked: bool = False) -> str:
    """Links to all keys in an organization, those of its teams included, or to those in none."""
    return f"{REVOKED_KEYS if revoked else KEYS}#{organization_uid or NO_ORGANIZATION}"


def key_alias(alias: str) -> str:
    """Guard of a key's alias that no other key may have."""
    return f"KEYALIAS#{encoded(alias)}"


def by_creation(created_at: str, external_id: str) -> str:
    """Sort key of lists in order of creation; ``created_at`` as ``clock.to_stored`` writes it."""
    return f"{created_at}#{encoded(external_id)}"


def account(owner_uid: str) -> str:
    """Partition of what an owner counts: its counters and, where it pays for calls, its ledger.

    The owner is whatever has limits or credits: a team, an organization, a key, a user, a membership …
    """
    return f"ACCOUNT#{owner_uid}"


def counter(shard: int = 0) -> str:
    return f"HOT#{shard}"


def shard_of(sort_key: str) -> int:
    """The number in a counter item's sort key."""
    return int(sort_key.removeprefix("HOT#"))


def transaction(transaction_id: str = "") -> str:
    """A ledger entry; without an id the prefix of all of them."""
    return f"TX#{transaction_id}"


def ledger_of(organization_uid: str) -> str:
    """The ledger entries of an organization's account and of all its teams' accounts, by transaction id."""
    return f"LEDGER#{organization_uid}"


def booked(cause: str, which: str) -> str:
    """Marks that an account's ledger has the one entry of a cause: a refund of something, the refill of a period."""
    return f"BOOKED#{cause}#{which}"


def idempotent(digest: str) -> str:
    """A mutation under its Idempotency-Key; ``digest`` is of who asked for what under which key."""
    return f"IDEMPOTENT#{digest}"


def call(hold_id: str) -> str:
    return f"CALL#{hold_id}"


def calls_of(owner_uid: str, day: str) -> str:
    """The calls of a team (or of the platform) on a day, ``YYYY-MM-DD``."""
    return f"CALLS#{owner_uid}#{day}"


def job(job_id: str) -> str:
    return f"JOB#{job_id}"


def jobs_of(team_uid: str, status: str | None = None) -> str:
    """The jobs of a team: all of them, or those in a status."""
    return f"JOBS#{team_uid}#{status}" if status else f"JOBS#{team_uid}"


def calls_in(job_id: str) -> str:
    """The calls of a job."""
    return f"JOBCALLS#{job_id}"


def usage_of(scope: str, name: str) -> str:
    """The usage buckets of an owner (by uid), key, user, customer, tag, project; or the closed sums of a whole."""
    plain = encoded(name)
    known = plain if len(plain) <= _USAGE_NAME_LENGTH else sha256(name.encode()).hexdigest()
    return f"USAGE#{scope}#{known}"


def usage_in(organization_uid: str) -> str:
    """The buckets of all owners in an organization."""
    return f"USAGE#{organization_uid}"


def usage_names(month: str) -> str:
    """Beside an owner's buckets: the models, providers and job types that have buckets in a month, ``YYYY-MM``."""
    return f"N#{month}"


def usage_slice(number: int) -> str:
    """A part of the buckets of all owners."""
    return f"USAGE#SLICE#{number}"


def usage_day(day: str, owner_uid: str = "", dimensions: str = "") -> str:
    """A bucket of a day, ``YYYY-MM-DD``; with the day only, what all of that day come after."""
    return f"D#{day}#{owner_uid}#{dimensions}" if dimensions else f"D#{day}"


def usage_days_end(day: str) -> str:
    """What all buckets of a day come before."""
    return f"D#{day}$"


def usage_hour(hour: str, owner_uid: str = "") -> str:
    """A bucket of an hour, ``YYYY-MM-DDTHH``; with the hour only, what all of that hour come after."""
    return f"H#{hour}#{owner_uid}" if owner_uid else f"H#{hour}"


def usage_hours_end(hour: str) -> str:
    """What all buckets of an hour come before."""
    return f"H#{hour}$"


def usage_team(day: str, owner_uid: str = "") -> str:
    """What one owner used on a closed day, among an organization's sums."""
    return f"T#{day}#{owner_uid}" if owner_uid else f"T#{day}"


def usage_teams_end(day: str) -> str:
    """What all owners of a closed day come before."""
    return f"T#{day}$"


def sweep(partition: int) -> str:
    return f"SWEEP#{partition}"


def refill(partition: int) -> str:
    return f"REFILL#{partition}"


def zombies(partition: int) -> str:
    return f"ZOMBIES#{partition}"


def model(alias: str = "") -> str:
    """A model alias under ``CATALOGUE``; without an alias the prefix of all of them."""
    return f"MODEL#{encoded(alias)}"


def access_group(group_name: str = "") -> str:
    """An access group under ``CATALOGUE``; without a name the prefix of all of them."""
    return f"GROUP#{encoded(group_name)}"


def model_users(alias: str) -> str:
    """The teams that hold an alias by itself; the sort key is ``team``."""
    return f"MODEL#{encoded(alias)}#TEAMS"


def group_members(group_name: str) -> str:
    """Partition of the links from an access group to the teams that hold it."""
    return f"GROUP#{encoded(group_name)}#TEAMS"


def credential(credential_id: str) -> str:
    return f"CREDENTIAL#{credential_id}"


def credentials_of(owner_uid: str | None) -> str:
    """The provider credentials of an organization, or of the platform."""
    return f"CREDENTIALS#{owner_uid or PLATFORM}"


def active_credential(provider: str) -> str:
    """Pointer to the one active credential of an owner for a provider."""
    return f"ACTIVE#{encoded(provider)}"


def credential_name(name: str = "") -> str:
    """Guard of a credential's name, unique for its owner; without a name the prefix of all of them."""
    return f"NAME#{encoded(name)}"


def audit_of(owner_uid: str | None) -> str:
    return f"AUDIT#{owner_uid or PLATFORM}"


def alert_rule(rule_id: str) -> str:
    return f"ALERTRULE#{rule_id}"


def alert_rules_of(owner_uid: str | None) -> str:
    """The alert rules of a team, of an organization, or of the platform."""
    return f"ALERTRULES#{owner_uid or PLATFORM}"


def alert(alert_id: str) -> str:
    return f"ALERT#{alert_id}"


def alerts_of(organization_uid: str | None) -> str:
    """The alerts about an organization and whatever is in it, or about what belongs to none."""
    return f"ALERTS#{organization_uid or PLATFORM}"


def webhook(webhook_id: str) -> str:
    return f"WEBHOOK#{webhook_id}"


def webhooks_of(owner_uid: str) -> str:
    """The webhooks of a team or of an organization."""
    return f"WEBHOOKS#{owner_uid}"


def event(event_id: str) -> str:
    """Something that webhooks are told of."""
    return f"EVENT#{event_id}"


def deletion(uid: str) -> str:
    """What is left of a team or an organization that was deleted."""
    return f"DELETION#{uid}"


def deleted_teams_of(organization_uid: str | None) -> str:
    """The deleted teams of an organization, or of none."""
    return f"DELETEDTEAMS#{organization_uid or NO_ORGANIZATION}"
