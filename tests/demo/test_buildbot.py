"""The pretend Buildbot answers as 4.3 does; the shapes and refusals were compared with a real master."""

from __future__ import annotations

import pytest

BUILD = {
    "builderid", "buildid", "buildrequestid", "complete", "complete_at", "locks_duration_s", "masterid", "number",
    "properties", "results", "started_at", "state_string", "workerid",
}  # fmt: skip
BUILDER = {
    "builderid", "description", "description_format", "description_html", "masterids", "name", "projectid", "tags",
}  # fmt: skip
REQUEST = {
    "builderid", "buildrequestid", "buildsetid", "claimed", "claimed_at", "claimed_by_masterid", "complete",
    "complete_at", "priority", "properties", "results", "submitted_at", "waited_for",
}  # fmt: skip


async def get(play, path, **params):
    answer = await play.buildbot.get(f"/api/v2/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_builders(play):
    builders = (await get(play, "builders"))["builders"]
    assert [b["name"] for b in builders] == [
        "warehouse-unit", "warehouse-package", "invoicing-unit", "invoicing-package",
    ]  # fmt: skip
    assert all(builder.keys() == BUILDER for builder in builders)
    assert (await get(play, "builders", limit=2))["meta"] == {"total": 4}
    assert (await get(play, "builders", name__contains="ware", field="name")) == {
        "builders": [{"name": "warehouse-unit"}, {"name": "warehouse-package"}],
        "meta": {"total": 2},
    }


async def test_builds_have_buildbot_s_fields_and_whole_seconds(play):
    answer = await get(play, "builds")
    assert len(answer["builds"]) == answer["meta"]["total"] > 5
    for build in answer["builds"]:
        assert build.keys() == BUILD
        assert isinstance(build["started_at"], int)
        assert (build["results"] is None) == (not build["complete"]) == (build["complete_at"] is None)
        assert build["properties"] == {}, "properties come only when asked for"
    assert {0, 1, 4} <= {build["results"] for build in answer["builds"]}


async def test_order_limit_offset_and_fields(play):
    everything = (await get(play, "builds", field="buildid"))["builds"]
    newest = await get(play, "builds", field=["buildid", "results"], order="-buildid", limit=2, offset=1)
    assert [build["buildid"] for build in newest["builds"]] == [b["buildid"] for b in everything[-2:-4:-1]]
    assert newest["builds"][0].keys() == {"buildid", "results"}
    assert newest["meta"] == {"total": 2}, "what a limit cut off is not counted"
    by_two = (await get(play, "builds", order=["builderid", "-buildid"]))["builds"]
    assert [(b["builderid"], -b["buildid"]) for b in by_two] == sorted((b["builderid"], -b["buildid"]) for b in by_two)


async def test_filters(play):
    builds = (await get(play, "builds"))["builds"]
    done = (await get(play, "builds", complete="true"))["builds"]
    assert done == [b for b in builds if b["complete"]]
    bad = (await get(play, "builds", results__in=[2, 4]))["builds"]
    assert bad == [b for b in builds if b["results"] in (2, 4)] != []
    late = builds[3]["started_at"]
    assert (await get(play, "builds", started_at__gt=late))["builds"] == [b for b in builds if b["started_at"] > late]
    assert (await get(play, "builds", results__ne=0))["builds"] == [b for b in builds if b["results"] != 0]
    assert (await get(play, "builders/1/builds"))["builds"] == [b for b in builds if b["builderid"] == 1]
    assert (await get(play, "builders/warehouse-unit/builds"))["builds"] == [b for b in builds if b["builderid"] == 1]
    assert (await get(play, "builds", builderid__notin=[1, 2, 3, 4]))["builds"] == []


async def test_properties_are_pairs(play):
    build = (await get(play, "builds", property=["branch", "revision"], limit=1))["builds"][0]
    assert build["properties"].keys() == {"branch", "revision"}
    assert build["properties"]["branch"] == ["main", "Build"]
    all_of_them = (await get(play, "builds", property="*", limit=1))["builds"][0]["properties"]
    assert {"owner", "reason", "repository"} <= all_of_them.keys()


@pytest.mark.parametrize(
    ("path", "params", "status", "message"),
    [
        ("builds", {"field": "buildid", "complete": "false"}, 400, "cannot filter on un-selected fields"),
        ("builds", {"nofield": "1"}, 400, "unrecognized query parameter 'nofield'"),
        ("builds", {"limit": "x"}, 400, "invalid limit"),
        ("builds", {"order": "-nofield"}, 400, "no such field 'nofield'"),
        ("builds", {"field": "nofield"}, 400, "no such field 'nofield'"),
        ("builds", {"complete": "maybe"}, 400, "invalid filter value for complete"),
        ("builds", {"number": "x"}, 400, "invalid filter value for number"),
        ("nothing", {}, 404, "Invalid path: nothing"),
        ("builders/nobody/builds", {}, 404, "Invalid path: builders/nobody"),
        ("builds/99999", {}, 404, "not found while getting from endpoint for /builds/99999"),
    ],
)
async def test_refusals(play, path, params, status, message):
    answer = await play.buildbot.get(f"/api/v2/{path}", params=params)
    assert (answer.status_code, answer.json()) == (status, {"error": message})


async def test_a_build_waits_as_a_request_before_it_is_a_build(still):
    known = {r["buildrequestid"] for r in (await get(still, "buildrequests"))["buildrequests"]}
    still.demo.world.act("break_build", "warehouse")
    waiting = (await get(still, "buildrequests", claimed="false", complete="false"))["buildrequests"]
    (request,) = [r for r in waiting if r["buildrequestid"] not in known]
    number = request["buildrequestid"]
    assert request.keys() == REQUEST
    assert (request["results"], request["properties"]) == (-1, None)
    assert (await get(still, f"buildrequests/{number}/builds"))["builds"] == []
    still.turn(6)
    (build,) = (await get(still, f"buildrequests/{number}/builds"))["builds"]
    assert (build["complete"], build["results"], build["state_string"]) == (False, None, "building")
    assert build in (await get(still, "builds", complete="false"))["builds"]
    still.turn(20)
    (build,) = (await get(still, f"builds/{build['buildid']}"))["builds"]
    assert (build["complete"], build["results"]) == (True, 2)
    steps = (await get(still, f"builds/{build['buildid']}/steps"))["steps"]
    assert [step["results"] for step in steps] == [0, 0, 2]
    assert (await get(still, f"buildrequests/{number}"))["buildrequests"][0]["claimed"]


async def test_the_answer_is_json_by_name_only_for_who_asks(play):
    plain = await play.buildbot.get("/api/v2/builders", headers={"Accept": "*/*"})
    named = await play.buildbot.get("/api/v2/builders", headers={"Accept": "application/json"})
    assert plain.headers["content-type"] == "text/plain; charset=utf-8"
    assert named.headers["content-type"] == "application/json; charset=utf-8"
    assert plain.json() == named.json()


async def test_it_cannot_be_written_to_but_asked_for_heads(play):
    assert (await play.buildbot.post("/api/v2/builds", json={})).status_code == 400
    assert (await play.buildbot.head("/api/v2/builds")).status_code == 200
    assert (await get(play, "masters"))["masters"][0]["active"]
