"""A real Redmine: Debian's package, copied into the test's folder with a database of its own, served by puma.

Nothing of it runs as root, and the machine's own Redmine, if it has one, is neither read nor changed.  The first start
takes about 10 s: one Ruby process makes the database and its people, another serves it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tests.real.needs import Unavailable, program
from tests.real.process import Server
from tests.real.servers import answer
from tests.real.venvs import as_user, unprivileged

PROGRAM = Path("/usr/share/redmine")
PACKAGES = "redmine redmine-sqlite dbconfig-no-thanks puma"
SEED = Path(__file__).with_name("redmine.rb")


class Redmine(Server):
    """Redmine with the public project `shop` and the private `secret`; only `admin` may see the latter.

    `admin_key` may do anything; `key` is that of `ann`, who may see what is public, and whom `lock` shuts out.
    """

    name: ClassVar[str] = "redmine"
    admin_key: ClassVar[str] = "a" * 40
    key: ClassVar[str] = "b" * 40
    STATUSES: ClassVar[Mapping[str, int]] = {
        name: number
        for number, name in enumerate(("New", "In Progress", "Resolved", "Feedback", "Closed", "Rejected"), 1)
    }

    def user(self) -> str | None:
        return unprivileged()

    def environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.folder),
            "RAILS_ENV": "production",
            "RAILS_LOG_TO_STDOUT": "1",
            "REDMINE_INSTANCE": "default",
            "SECRET_KEY_BASE": "of-no-use-outside-this-test-" * 3,
            "BOARD_KEYS": f"{self.admin_key} {self.key}",
        }

    def prepare(self) -> None:
        if not (PROGRAM / "config.ru").exists():
            raise Unavailable(f"Redmine is not installed; on Debian: apt-get install {PACKAGES}")
        program("puma", package="puma")
        # The machine's own instances, their databases and their locked gems are left out.
        others = shutil.ignore_patterns("instances", "Gemfile.lock", "database.yml")
        shutil.copytree(PROGRAM, self.folder, ignore=others, dirs_exist_ok=True)
        instance = self.folder / "instances" / "default"
        for name in ("config", "files", "log", "tmp"):
            (instance / name).mkdir(parents=True)
        (instance / "config" / "database.yml").write_text(
            f"production: {{adapter: sqlite3, database: '{instance}/redmine.sqlite', timeout: 10000}}\n"
        )
        (self.folder / "Gemfile.local").write_text('gem "sqlite3"\ngem "puma"\n')
        shutil.copy(SEED, self.folder / "seed.rb")
        if user := self.user():
            group = as_user(user)["group"]
            for folder, _, files in os.walk(self.folder):
                for path in (folder, *(os.path.join(folder, file) for file in files)):
                    shutil.chown(path, user, group)
        self.run(program("bundle", package="ruby-bundler"), "exec", "rails", "runner", "seed.rb")

    def command(self) -> Sequence[str]:
        bundle = program("bundle", package="ruby-bundler")
        return [bundle, "exec", "puma", "--bind", f"tcp://127.0.0.1:{self.port}", "--threads", "1:4", "config.ru"]

    def ready(self) -> bool:
        return self.http.get("/issue_statuses.json").is_success

    def create_issue(self, subject: str, *, project: str = "shop", **fields: Any) -> int:
        """Open an issue (tracker Bug, priority Normal unless `fields` say otherwise); returns its number."""
        issue = {"project_id": project, "subject": subject, "tracker_id": 1, "priority_id": 2, **fields}
        made: int = self._call("POST", "/issues.json", {"issue": issue})["issue"]["id"]
        return made

    def change_issue(self, issue: int, **fields: Any) -> None:
        """Change an issue; `status` takes a name of `STATUSES`."""
        if status := fields.pop("status", ""):
            fields["status_id"] = self.STATUSES[status]
        self._call("PUT", f"/issues/{issue}.json", {"issue": fields})

    def ann(self) -> int:
        """The number of the user `ann`, locked or not."""
        users = self._call("GET", "/users.json?status=")["users"]
        number: int = next(user["id"] for user in users if user["login"] == "ann")
        return number

    def lock(self, locked: bool) -> None:
        """Whether `ann` is shut out: her key counts for nothing then."""
        self._call("PUT", f"/users/{self.ann()}.json", {"user": {"status": 3 if locked else 1}})

    def queries(self) -> list[dict[str, Any]]:
        """The saved queries, with id and name."""
        found: list[dict[str, Any]] = self._call("GET", "/queries.json")["queries"]
        return found

    def _call(self, method: str, path: str, json: object = None) -> Any:
        return answer(self.http.request(method, path, json=json, headers={"X-Redmine-API-Key": self.admin_key}))
