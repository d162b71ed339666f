"""Deletions as domain objects and answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tollgate.auth.principal import Principal
from tollgate.core.fields import ResponseModel, Timestamp


class Progress(StrEnum):
    """How far a deletion is."""

    # It exists for nobody any more, but its id is still taken.
    CLOSING = "closing"
    # Its id is free; what hangs under it goes.
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Deletion:
    """The end of a team or an organization, under its uid.

    Attributes:
        organization_id, organization_uid: of an organization itself, or the one that a team was of.
        team_id: None for an organization.
        name: the organization's name or the team's alias.
        status: what it had before.
        caller: who deleted it; every step is told to the audit log in his name.
        account_items: how many counter items its account has.
        purge: calls, jobs and usage go, too, and so does this record.
        purged_through: the day up to which its calls are gone.
        due: when somebody has to go on with it, as stored; None: it is done.
        token: of whoever is at work on it.
    """

    uid: str
    organization_id: str | None
    organization_uid: str | None
    team_id: str | None
    name: str | None
    status: str
    created_at: datetime
    deleted_at: datetime
    caller: Principal
    account_items: int
    purge: bool
    progress: Progress = Progress.CLOSING
    teams_deleted: int = 0
    keys_deleted: int = 0
    purged_through: date | None = None
    due: str | None = None
    token: str | None = None

    @property
    def is_done(self) -> bool:
        return self.progress is Progress.DONE


@dataclass(slots=True)
class Finished:
    """Deletions that a run has finished, those that it has left, and those that it could not go on with."""

    finished: int = 0
    left: int = 0
    failed: int = 0

    def __add__(self, other: Finished) -> Finished:
        return Finished(self.finished + other.finished, self.left + other.left, self.failed + other.failed)


class DeletedOrganization(ResponseModel):
    """An organization that is no more; ``uid`` finds what it used in the archive."""

    uid: str
    organization_id: str
    name: str | None
    status: str = "deleted"
    state: Progress
    created_at: Timestamp
    deleted_at: Timestamp

    @classmethod
    def of(cls, deletion: Deletion) -> DeletedOrganization:
        return cls(
            uid=deletion.uid,
            organization_id=deletion.organization_id or "",
            name=deletion.name,
            state=deletion.progress,
            created_at=deletion.created_at,
            deleted_at=deletion.deleted_at,
        )


class DeletedOrganizationList(ResponseModel):
    organizations: list[DeletedOrganization]
    next_cursor: str | None = None
    truncated: bool = False


class DeletedTeam(ResponseModel):
    """A team that is no more; ``uid`` finds what it used in the archive."""

    uid: str
    team_id: str
    organization_id: str | None
    team_alias: str | None
    status: str = "deleted"
    state: Progress
    created_at: Timestamp
    deleted_at: Timestamp

    @classmethod
    def of(cls, deletion: Deletion) -> DeletedTeam:
        return cls(
            uid=deletion.uid,
            team_id=deletion.team_id or "",
            organization_id=deletion.organization_id,
            team_alias=deletion.name,
            state=deletion.progress,
            created_at=deletion.created_at,
            deleted_at=deletion.deleted_at,
        )


class DeletedTeamList(ResponseModel):
    teams: list[DeletedTeam]
    next_cursor: str | None = None
    truncated: bool = False
