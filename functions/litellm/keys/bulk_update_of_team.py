"""POST /team/key/bulk_update: change many keys of one's team, each on its own."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import keys
from tollgate.litellm.api import litellm_api
from tollgate.litellm.key_requests import BulkUpdateTeamKeys
from tollgate.litellm.keys import KeysUpdated

app = litellm_api(Action.KEY_MAKE_OWN)


@app.post("/team/key/bulk_update", summary="Update many keys of a team", tags=["LiteLLM: keys"])
def bulk_update_team_keys(body: BulkUpdateTeamKeys, caller: Caller) -> KeysUpdated:
    return keys.bulk_update_of_team(caller, body)


handler = app.resolve
