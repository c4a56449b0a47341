"""The pretend Roundup answers as 2.6 does; the shapes and refusals were compared with a real tracker."""

from __future__ import annotations

import re

import pytest

from statusboard.demo.roundup import PRIORITIES, STATUSES

ISSUE = {"assignedto", "files", "keyword", "messages", "nosy", "priority", "status", "superseder", "title"}


async def get(play, path, **params):
    query = {
        f"@{name.removeprefix('at_')}" if name.startswith("at_") else name: value for name, value in params.items()
    }
    answer = await play.roundup.get(f"/rest/data/{path}", params=query, headers={"X-Requested-With": "rest"})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_a_collection_gives_ids_and_links(play):
    answer = await play.roundup.get("/rest/data/issue")
    data = answer.json()["data"]
    assert data.keys() == {"collection", "@total_size"}
    assert len(data["collection"]) == data["@total_size"] == int(answer.headers["x-count-total"]) > 5
    assert all(item.keys() == {"id", "link"} for item in data["collection"])
    first = data["collection"][0]
    assert first["link"] == f"{play.demo.urls['roundup']}/rest/data/issue/{first['id']}"


async def test_fields_and_names(play):
    fields = "title,status,priority,assignedto,keyword,activity,creation,creator,actor"
    items = (await get(play, "issue", at_fields=fields, at_verbose=2))["collection"]
    for item in items:
        assert item.keys() == {"id", "link", *fields.split(",")}
        assert item["status"]["name"] in STATUSES
        assert item["priority"]["name"] in PRIORITIES
        assert item["keyword"][0]["name"] in {service.name for service in play.demo.world.services}
        assert item["creator"]["username"]
        assert item["assignedto"] is None or item["assignedto"]["username"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d\.\d\d:\d\d:\d\d", item["activity"])
    assert {item["assignedto"] is None for item in items} == {True, False}
    bare = (await get(play, "issue", at_fields="status"))["collection"][0]["status"]
    assert bare.keys() == {"id", "link"}
    numbers = (await get(play, "issue", at_fields="status", at_verbose=0))["collection"][0]["status"]
    assert numbers == bare["id"]
    deeper = (await get(play, "issue", at_fields="status.name,assignedto.username"))["collection"]
    assert [item["status.name"] for item in deeper] == [item["status"]["name"] for item in items]
    labels = (await get(play, "issue", at_verbose=2))["collection"][0]
    assert labels.keys() == {"id", "link", "title"}


async def test_pages(play):
    titles, uris = [], []
    data = await get(play, "issue", at_page_size=3, at_fields="title", at_sort="-activity")
    everything = await get(play, "issue", at_fields="title", at_sort="-activity")
    while True:
        titles += [item["title"] for item in data["collection"]]
        uris.append(data["@links"]["self"][0]["uri"])
        if "next" not in data["@links"]:
            break
        uri = data["@links"]["next"][0]["uri"]
        data = (await play.roundup.get(uri)).json()["data"]
    assert titles == [item["title"] for item in everything["collection"]]
    assert len(uris) > 2
    assert uris[0].endswith("/issue?@page_index=1&@page_size=3&@fields=title&@sort=-activity")
    assert "prev" in data["@links"]
    assert data["@total_size"] == len(titles)


async def test_one_item(play):
    number = play.demo.world.tracker[0].id
    answer = await play.roundup.get(f"/rest/data/issue/{number}", params={"@verbose": "2"})
    data = answer.json()["data"]
    assert data.keys() == {"id", "type", "link", "attributes", "@etag"}
    assert data["attributes"].keys() == ISSUE
    assert answer.headers["etag"] == data["@etag"]
    with_times = (await get(play, f"issue/{number}", at_fields="title,activity"))["attributes"]
    assert with_times.keys() == {"title", "activity"}


async def test_the_classes_of_a_classic_tracker(play):
    assert [s["name"] for s in (await get(play, "status", at_verbose=2))["collection"]] == list(STATUSES)
    assert [(p["name"], p["order"]) for p in (await get(play, "priority", at_fields="name,order"))["collection"]] == [
        (name, float(order)) for order, name in enumerate(PRIORITIES, 1)
    ]
    assert (await get(play, "status/5"))["attributes"] == {"name": "in-progress", "order": 5.0}
    assert (await get(play, "user", at_fields="username"))["collection"][0]["username"] == "admin"


async def test_filters_and_order(play):
    items = (await get(play, "issue", at_fields="status.name,title,keyword,assignedto"))["collection"]
    unread = await get(play, "issue", status="unread,5")
    wanted = [item["id"] for item in items if item["status.name"] in ("unread", "in-progress")]
    assert [item["id"] for item in unread["collection"]] == wanted != []
    word = items[0]["title"].split()[-1]
    assert items[0]["id"] in [item["id"] for item in (await get(play, "issue", title=word))["collection"]]
    nobody = (await get(play, "issue", assignedto="-1"))["collection"]
    assert [item["id"] for item in nobody] == [item["id"] for item in items if item["assignedto"] is None]
    one = items[0]["keyword"][0]["id"]
    of_one = {item["id"] for item in (await get(play, "issue", keyword=one))["collection"]}
    assert of_one == {item["id"] for item in items if item["keyword"][0]["id"] == one}
    down = [int(item["id"]) for item in (await get(play, "issue", at_sort="-id"))["collection"]]
    assert down == sorted(down, reverse=True)


@pytest.mark.parametrize(
    ("path", "params", "status", "message"),
    [
        ("issue/99999", {}, 404, "no such issue 99999"),
        ("nothing", {}, 404, "Class nothing not found"),
        ("issue", {"@fields": "nofield"}, 400, "'Unknown property: nofield'"),
        ("issue", {"nofield": "1"}, 400, "Field nofield is not valid for issue class."),
        ("issue", {"status": "nosuch"}, 400, '\'No key (name) value "nosuch" for "status"\''),
        ("issue", {"@page_size": "x"}, 400, "When using @page_size: invalid literal for int() with base 10: 'x'"),
    ],
)
async def test_refusals(play, path, params, status, message):
    answer = await play.roundup.get(f"/rest/data/{path}", params=params)
    assert (answer.status_code, answer.json()) == (status, {"error": {"status": status, "msg": message}})


async def test_unknown_controls_are_ignored(play):
    assert await get(play, "issue", at_nonsense="1") == await get(play, "issue")


@pytest.mark.parametrize(
    ("header", "status"),
    [("", 403), ("Basic ZGVtbzp3cm9uZw==", 401), ("Basic ???", 401), ("Bearer abc", 401)],
)
async def test_who_is_not_known_is_refused(play, header, status):
    request = play.roundup.build_request("GET", "/rest/data/issue", headers={"Authorization": header})
    answer = await play.roundup.send(request, auth=None)
    assert answer.status_code == status
    if status == 401:
        assert answer.text == "Invalid Login - Invalid login"


async def test_it_cannot_be_written_to(play):
    assert (await play.roundup.post("/rest/data/issue", json={})).status_code == 405
    assert (await play.roundup.get("/elsewhere")).status_code == 404


async def test_a_ticket_moves_and_is_resolved(still):
    world = still.demo.world
    service = world.service("warehouse")  # its tickets are all here
    world.act("open_ticket", "warehouse")
    number = str(world.tracker[-1].id)
    assert (await get(still, f"issue/{number}", at_verbose=2))["attributes"]["status"]["name"] == "unread"
    world.story.move_ticket(world.tracker[-1])
    assert (await get(still, f"issue/{number}", at_verbose=2))["attributes"]["status"]["name"] == "chatting"
    world.act("close_ticket", service.name)
    assert (await get(still, f"issue/{number}", at_verbose=2))["attributes"]["status"]["name"] == "resolved"
