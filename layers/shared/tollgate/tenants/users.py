"""The end of an admin user, in steps as that of a team: he is switched off, his memberships go, then he himself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from tollgate.audit import repository as audit
from tollgate.auth.policy import Action, authorize
from tollgate.auth.principal import Principal
from tollgate.core.clock import Clock, utc_now
from tollgate.core.errors import NotFoundError, RefusedRequestError
from tollgate.table.transactions import Work, retried
from tollgate.tenants.members import MemberService
from tollgate.users import admins, memberships, repository
from tollgate.users.admin_model import SHOWN_ROLES, AdminUserDeleted
from tollgate.users.service import event_of


@dataclass(frozen=True, slots=True)
class UserRemovalService:
    """Asked again, it goes on where it was interrupted."""

    clock: Clock = utc_now

    def delete(self, caller: Principal, user_id: str) -> AdminUserDeleted:
        """From the next request on his sessions and keys are unknown, and his address is free.

        Raises RefusedRequestError for the caller himself, WrongStateError if no active owner of the platform, or of an
        organization that has owners, would be left.
        """
        authorize(caller, Action.USER_WRITE)
        user = admins.find(user_id)
        admins.authorize_over(caller, user.role)
        if user_id == caller.user_id:
            raise RefusedRequestError("You may not delete yourself")
        retried(lambda: self._close(caller, user_id))
        members = MemberService(self.clock)
        for membership in memberships.all_of_user(user.uid):
            try:
                members.remove(caller, membership.scope, membership.owner_id, user_id)
            except NotFoundError:
                # Its team or organization is being deleted, and takes it along.
                continue
        retried(lambda: self._delete(caller, user_id))
        return AdminUserDeleted(user_id=user_id, deleted=True)

    def _close(self, caller: Principal, user_id: str) -> None:
        """Ends his sessions, and the right of his keys; where he must stay, nothing has happened to him yet."""
        user = admins.find(user_id)
        if not user.is_active:
            return
        event = event_of(caller, user, "closed", self.clock(), before={"is_active": True})
        work = Work()
        after = replace(user, is_active=False, session_epoch=user.session_epoch + 1)
        repository.update(work, user, after, None, event)
        audit.append(work, event)
        work.commit()

    def _delete(self, caller: Principal, user_id: str) -> None:
        user = admins.find(user_id)
        admins.authorize_over(caller, user.role)
        before = {"email": user.email, "display_name": user.display_name, "role": SHOWN_ROLES[user.role].value}
        work = Work()
        repository.delete(work, user)
        audit.append(work, event_of(caller, user, "deleted", self.clock(), before=before))
        work.commit()


@cache
def user_removal_service() -> UserRemovalService:
    return UserRemovalService()
