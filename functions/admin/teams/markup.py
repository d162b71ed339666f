"""PATCH /api/teams/{team_id}/markup: change what the team's calls cost its client, and what a credit is worth."""

from tollgate.auth.policy import Action
from tollgate.http.api import admin_api
from tollgate.http.dependencies import Caller
from tollgate.tenants.pricing import TeamMarkup, UpdateMarkup, pricing_service

app = admin_api(Action.CREDITS_CONFIGURE)


@app.patch("/api/teams/<team_id>/markup", summary="Change a team's markup", tags=["Teams"])
def update_team_markup(team_id: str, body: UpdateMarkup, caller: Caller) -> TeamMarkup:
    return pricing_service().set_markup(caller, team_id, body)


handler = app.resolve
