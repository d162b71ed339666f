"""POST /management/v1/keys/bulk: make up to 500 keys, each with a result of its own."""

from tollgate.auth.policy import Action
from tollgate.http.dependencies import Caller
from tollgate.litellm import bulk
from tollgate.litellm.api import litellm_api
from tollgate.litellm.bulk import BulkAnswer, BulkItems
from tollgate.litellm.bulk_operations import KEYS_CREATE

app = litellm_api(Action.KEY_MAKE_OWN)


@app.post("/management/v1/keys/bulk", summary="Create many keys", tags=["LiteLLM: bulk"])
def create_many_keys(body: BulkItems, caller: Caller) -> BulkAnswer:
    return bulk.run(caller, body, KEYS_CREATE)


handler = app.resolve
