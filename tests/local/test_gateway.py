from starlette.testclient import TestClient
def test_x(client: TestClient) -> None:
    r=client.get("/open?a=1&a=b%20c&e="); print(r.status_code,r.json(),r.headers)
    for p in ["/items/fixed","/items/a%2Fb","/items/a/parts/b%23","/files/x/y%20z","/nope","/items/","/open/"]:
        r=client.get(p); print(p,r.status_code, (r.json().get('event') or {}).get('resource'),(r.json().get('event') or {}).get('pathParameters'),(r.json().get('event') or {}).get('path'))
    for a in ["good","wide","denied","other","broken","malformed"]:
        r=client.get("/default",headers={"Authorization":a}); print(a,r.status_code,r.text[:300],r.headers)
    r=client.get("/default"); print(r.status_code,r.text)
    r=client.get("/v1/a%2Fb?x=1",headers={"Authorization":"wide","x-amzn-request-context":"{}"}); print(r.status_code,r.json())
    r=client.get("/v1/boom",headers={"Authorization":"wide"}); print(r.status_code,r.text)
    r=client.get("/slow"); print(r.status_code,r.json())
    r=client.options("/open"); print(r.status_code,r.text,r.headers)
    r=client.post("/answer",json={"statusCode":201,"body":"x"}); print(r.status_code,r.text,r.headers)
    r=client.post("/answer",json="raise"); print(r.status_code,r.text,r.headers)
    r=client.post("/answer",json={"foo":1}); print(r.status_code,r.text,r.headers)
