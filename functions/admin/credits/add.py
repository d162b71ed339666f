"""POST /api/credits/add: add credits to a team's account; the very next call can spend them."""

from tollgate.auth.policy import Action
from tollgate.credits.model import AddCredits, CreditsAdded
from tollgate.credits.service import credit_service
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller

app = admin_api(Action.CREDITS_ADD)


@app.post("/api/credits/add", summary="Add credits", tags=["Credits"])
def add_credits(body: AddCredits, caller: Caller) -> CreditsAdded:
    return credit_service().add(caller, body)


handler = app.resolve
