"""The end of a user, in steps as that of a team: gone for everybody, then his keys and memberships go, then he."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from tollgate.audit import repository as audit
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import ActorKind, Principal, Role
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import RefusedRequestError, StoreUnavailableError, WrongStateError
from tollgate.deletions.model import Finished
from tollgate.keys import repository as keys
from tollgate.keys.access import event_of as event_of_key
from tollgate.keys.access import is_of
from tollgate.keys.model import KeyStatus
from tollgate.limits import repository as limits
from tollgate.organizations import repository as organizations
from tollgate.organizations.model import Organization
from tollgate.table.transactions import LostRaceError, Work, retried
from tollgate.telemetry import Event, logger
from tollgate.tenants.members import event_of_removal
from tollgate.users import admins, memberships, repository
from tollgate.users.access import authorize_over, check_managed, found
from tollgate.users.admin_model import SHOWN_ROLES, AdminUserDeleted
from tollgate.users.model import Membership, User
from tollgate.users.service import event_of

# A key with its links, totals, its alias and its audit event, or a membership with its counter, its audit event and a
# shared budget: a transaction has at most a hundred writes.
_AT_ONCE = 12
# A request finishes as much as it can in this time; the rest is the worker's, once the request must have ended.
_SECONDS = 8.0
_OF_REQUEST = timedelta(seconds=60)
_MOST_DUE = 1000


@dataclass(frozen=True, slots=True)
class UserRemovalService:
    """Whatever a request leaves, the worker finishes."""

    clock: Clock = utc_now

    def delete(self, caller: Principal, user_id: str) -> AdminUserDeleted:
        """From the next request on an admin user's sessions and keys are unknown, and his address is free.

        Raises RefusedRequestError for the caller himself, WrongStateError if no active owner of the platform, or of an
        organization that has owners, would be left.
        """
        authorize(caller, Action.USER_WRITE)
        user = admins.find(user_id)
        authorize_over(caller, user.role)
        self._remove(caller, [user])
        return AdminUserDeleted(user_id=user_id, deleted=True)

    def delete_many(self, caller: Principal, user_ids: Sequence[str]) -> int:
        """Deletes all of them with their keys and memberships, or none if one is unknown or may not go (Q-21).

        All are gone at once; what hangs under them goes one after the other, if need be later. How many they were.
        """
        known = repository.find_all(user_ids)
        wanted = [known.get(user_id) or found(user_id) for user_id in dict.fromkeys(user_ids)]
        for user in wanted:
            check_managed(caller, user)
        self._remove(caller, wanted)
        return len(wanted)

    def run_due(self, seconds: float) -> Finished:
        """Finishes with every user whom a request has left, for at most so many seconds."""
        until, total = time.monotonic() + seconds, Finished()
        for user_id in repository.closed(self.clock(), _MOST_DUE):
            if time.monotonic() > until:
                total.left += 1
                continue
            try:
                self._finish(user_id)
            except Exception:  # noqa: BLE001 (the others do not wait for it; the next run tries again)
                logger.exception(Event.DELETION_FAILED, extra={"user_id": user_id})
                total.failed += 1
            else:
                total.finished += 1
        return total

    def _remove(self, caller: Principal, wanted: Sequence[User]) -> None:
        owned = _owned_if_all_may_go(caller, wanted)
        plain = [user for user in wanted if not (user.is_admin or owned[user.user_id])]
        for first in range(0, len(plain), _AT_ONCE):
            self._close_together(caller, plain[first : first + _AT_ONCE])
        for user in wanted:
            if user.is_admin or owned[user.user_id]:
                self._close(caller, user, owned[user.user_id])
        until = time.monotonic() + _SECONDS
        for user in wanted:
            if time.monotonic() > until:
                return
            try:
                self._finish(user.user_id, caller)
            except (LostRaceError, StoreUnavailableError):
                continue

    def _close_together(self, caller: Principal, users: Sequence[User]) -> None:
        """They are gone; nothing else counts them, so that one transaction may have several."""
        work = Work()
        for user in users:
            self._add_end(work, caller, user)
        try:
            work.commit()
        except LostRaceError:
            for user in users:
                self._close(caller, user, ())

    def _close(self, caller: Principal, user: User, owned: Sequence[Organization]) -> None:
        """He is gone; where he must stay, nothing has happened to him yet."""

        def attempt(current: User, owned: Sequence[Organization]) -> None:
            work = Work()
            self._add_end(work, caller, current)
            for organization in owned:
                organizations.count_owners(work, organization.organization_id, organization.uid, -1)
            work.commit()

        try:
            attempt(user, owned)
        except LostRaceError:
            # He is another one than when he was looked at, or somebody else has ended him.
            retried(lambda: attempt(found(user.user_id), _owned(user)))

    def _add_end(self, work: Work, caller: Principal, user: User) -> None:
        now = self.clock()
        event = event_of(caller, user, "closed", now, before={"is_active": user.is_active})
        repository.close(work, user, event, now + _OF_REQUEST)
        audit.append(work, event)

    def _finish(self, user_id: str, caller: Principal | None = None) -> None:
        """Takes away what is left of a closed user; nothing remembers where the last run stopped.

        ``caller`` None: in the name of whoever has closed him.
        """
        closed = repository.find_closed(user_id)
        if closed is None:
            return
        user, actor = closed
        who = caller or Principal(actor, ActorKind.PLATFORM)
        self._end_keys(who, user)
        retried(lambda: self._end(who, user_id))

    def _end_keys(self, caller: Principal, user: User) -> None:
        """Every key that names him, wherever it is: who may end him may end what he calls with."""
        named = keys.all_of_user(user.user_id)
        own = [key.key_id for key in named if key.status is KeyStatus.ACTIVE and is_of(user, key)]
        for first in range(0, len(own), _AT_ONCE):
            batch = own[first : first + _AT_ONCE]
            retried(lambda batch=batch: self._revoke(caller, batch))  # type: ignore[misc]

    def _revoke(self, caller: Principal, key_ids: Sequence[str]) -> None:
        now, work = self.clock(), Work()
        active = [key for key in keys.find_all(key_ids) if key.status is KeyStatus.ACTIVE]
        for key in active:
            keys.revoke(work, key, now, caller.actor)
            states = {"before": {"status": key.status.value}, "after": {"status": KeyStatus.REVOKED.value}}
            audit.append(work, event_of_key(caller, key, "revoked", now, **states))
        if active:
            work.commit()

    def _end(self, caller: Principal, user_id: str) -> None:
        """Ends his memberships, the last ones with himself."""
        closed = repository.find_closed(user_id)
        if closed is None:
            return
        user, now = closed[0], self.clock()
        places = list(memberships.all_of_user(user.uid))
        *others, last = [places[first : first + _AT_ONCE] for first in range(0, len(places), _AT_ONCE)] or [[]]
        for batch in others:
            work = Work()
            self._leave(work, caller, batch)
            limits.unlink(work, [place.limits for place in batch])
            work.commit()
        before = {"email": user.email, "display_name": user.display_name, "role": _role_of(user)}
        work = Work()
        self._leave(work, caller, last)
        repository.delete(work, user)
        limits.unlink(work, [user.limits, *(place.limits for place in last)])
        audit.append(work, event_of(caller, user, "deleted", now, before=before))
        work.commit()

    def _leave(self, work: Work, caller: Principal, places: Sequence[Membership]) -> None:
        for place in places:
            memberships.delete(work, place)
            audit.append(work, event_of_removal(caller, place, self.clock()))


def _owned_if_all_may_go(caller: Principal, wanted: Sequence[User]) -> dict[str, list[Organization]]:
    """What each of them owns. Raises before anything has happened to one if another has to stay."""
    if any(user.user_id == caller.user_id for user in wanted):
        raise RefusedRequestError("You may not delete yourself")
    owned = {user.user_id: _owned(user) for user in wanted}
    every = [organization for own in owned.values() for organization in own]
    leaving = Counter(organization.uid for organization in every)
    for organization in every:
        if organization.owner_count <= leaving[organization.uid]:
            message = f"Organization '{organization.organization_id}' must keep an owner"
            raise WrongStateError(message, code="last_owner")
    return owned


def _owned(user: User) -> list[Organization]:
    """The organizations that he is an owner of, and that stay."""
    places = [place for place in memberships.all_of_user(user.uid) if place.role is Role.ORG_OWNER]
    known = [(organizations.find(place.owner_id), place.owner_uid) for place in places]
    return [one for one, uid in known if one is not None and one.uid == uid and not one.deleting]


def _role_of(user: User) -> str:
    """In the words of the surface on which he is shown."""
    return SHOWN_ROLES[user.role].value if user.is_admin else user.role.value


@cache
def user_removal_service() -> UserRemovalService:
    return UserRemovalService()
