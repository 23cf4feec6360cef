"""The published client of the management plane, run unchanged: `show_job` of both versions, by the URL of a demo."""

import json
import sys
import urllib.request

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkges import v1, v2


def submitted(url: str) -> str:
    """The id of a job that has succeeded."""
    graph = f"{url}/v1/graphs/movies/jobs"
    body = json.dumps({"kind": "pagerank", "parameters": {}}).encode()
    with urllib.request.urlopen(urllib.request.Request(graph, body)) as answer:
        job = json.load(answer)["id"]
    with urllib.request.urlopen(f"{graph}/{job}?wait=30") as answer:
        assert json.load(answer)["state"] == "succeeded"
    return job


def check(version, url: str, job: str) -> None:
    """Asks one version of the client about the job, and about one that is not there."""
    builder = version.GesClient.new_builder().with_endpoint(url)
    client = builder.with_credentials(BasicCredentials("key", "secret", "demo")).build()
    name, request = next(
        (name, request)
        for name, request in (("show_job2", "ShowJob2Request"), ("show_job", "ShowJobRequest"))
        if hasattr(client, name)
    )
    show, request = getattr(client, name), getattr(version, request)
    shown = show(request(graph_id="movies", job_id=job))
    assert (shown.job_id, shown.status, shown.related_graph) == (job, "success", "movies"), shown
    try:
        show(request(graph_id="movies", job_id="unknown"))
    except ClientRequestException as error:
        assert error.error_code == "GES.8301" and "can not find job" in error.error_msg, error
    else:
        raise AssertionError("an unknown job is an error")


def main() -> None:
    url = sys.argv[1]
    job = submitted(url)
    for version in (v1, v2):
        check(version, url, job)
    print("the client of the management plane reads a job")


main()
