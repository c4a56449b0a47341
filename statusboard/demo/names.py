"""The words of the pretend company: services, teams, people, commit titles, tickets and alerts.

Some are there on purpose: wide and accented letters, quotes, and text that looks like markup, so that every look at the
demo also shows that foreign text is only text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Severity = Literal["critical", "warning", "info", "none"]

ORGANISATION = "acme"
HOSTING = "https://github.example"
PROMETHEUS = "https://prometheus.example"
RUNBOOKS = "https://runbooks.example"
DASHBOARDS = "https://grafana.example"

TEAM_OF = {
    "checkout": "payments",
    "payments": "payments",
    "search": "discovery",
    "warehouse": "logistics",
    "catalog": "discovery",
    "accounts": "identity",
    "notifications": "messaging",
    "invoicing": "payments",
    "shipping": "logistics",
    "pricing": "discovery",
    "reviews": "discovery",
    "sessions": "identity",
    "ledger": "payments",
    "mailer": "messaging",
    "returns": "logistics",
    "gateway": "platform",
}
"""The first services, in the order they join the company, with the team that owns each."""

DEPENDS_ON: Mapping[str, tuple[str, ...]] = {
    "checkout": ("payments", "catalog", "accounts"),
    "search": ("catalog",),
    "payments": ("accounts", "ledger"),
    "warehouse": ("catalog",),
    "notifications": ("accounts", "mailer"),
    "invoicing": ("payments",),
    "shipping": ("warehouse",),
    "returns": ("shipping",),
    "reviews": ("catalog",),
    "gateway": ("sessions",),
}
"""Which services need which others; what fails in one is felt in those that need it."""

SUFFIXES = ("api", "worker", "web", "jobs", "indexer")
"""Larger companies split their services: ``checkout-api``, ``checkout-worker``, ..."""

PEOPLE = ("mira", "jonas-k", "aiko", "tomasz", "leila", "sven", "priya", "oyelaran", "dafne", "bruno")
ROBOT = "deps-bot[bot]"

REGIONS = ("eu-central", "us-east", "ap-south")

COMMITS = (
    "fix: handle list[int] in [prod] config",
    "feat: remember the last used delivery address",
    "検索: 全角スペースで区切れるようにする",
    "perf: cache price lookups for 30 s",
    "Größe der Vorschaubilder halbieren",
    "chore: bump the base image",
    "修复购物车数量为零时的崩溃",
    "refactor: one retry policy for all clients",
    "fix: naïve datetimes in the façade's audit log",
    "feat: export invoices as PDF/A",
    "결제 재시도 간격 조정",
    "test: cover [bold]bracketed[/bold] names in e-mails",
    "docs: how to rotate the signing key",
    "fix: rounding of ½ cents (“banker's” rounding)",
    "feat: dark theme 🌒 for the account pages",
    "ci: run lint and unit tests side by side",
    "fix: don't page twice for one order",
    "feat(api): cursor paging for /orders",
    "Revert “feat: eager stock reservation”",
    "fix: Łódź and Århus sort where people expect them",
)

TICKETS = (
    "Refund is shown twice in the order history",
    "Кнопка «Оплатить» не видна на узком экране",
    "Export stops after 10 000 rows",
    "注文確認メールの文字化け",
    "Search for “café” does not find “cafe”",
    "Address form loses [unit] and <floor> fields",
    "Slow first page after the weekly restart",
    "Password reset link expires too early",
    "Label printer jams on very long street names (Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch)",
    "Stock count is negative after a partial return",
    "Add the customer's reference to the invoice",
    "Rechnung ohne Umsatzsteuer-ID für Geschäftskunden",
    "Duplicate push notifications after a time-out",
    "Session ends while the upload is still running",
    "Price shows with 3 decimals in some currencies",
    "고객 센터 링크가 잘못됨",
    "Rotate the staging certificates before they expire",
    "Keyboard focus is lost when a dialog closes",
    "Courier pick-up is booked on public holidays",
    "Reindex takes longer than the night",
    "Wishlist: keep the order that people chose",
    "Ask for consent before the first e-mail",
    "Delivery estimate ignores the time zone",
    "Log lines miss the request id",
    "CSV import: accept `;` as a separator",
)

ALERTS = (
    ("HighErrorRate", "{service}: more than 5 % of the requests fail", "job:http_errors:ratio5m > 0.05"),
    ("LatencyP99High", "{service}: the slowest 1 % of the requests take over 2 s", "job:http_latency:p99 > 2"),
    (
        "QueueBacklogGrowing",
        "{service}: the backlog grows faster than it is worked off",
        "deriv(queue_length[10m]) > 0",
    ),
    ("PodCrashLooping", "{service}: containers restart again and again", "rate(container_restarts[10m]) > 0"),
    ("ConversionDrop", "{service}: a third fewer orders than at this hour last week", "orders:ratio_week < 0.66"),
)
"""Name, summary and expression of the alerts that follow a bad release."""

STANDING_ALERTS: tuple[tuple[str, Severity, str, str], ...] = (
    (
        "DiskFillingUp",
        "warning",
        "{service}: the disk is full within 3 days",
        "predict_linear(disk_free[6h], 259200) < 0",
    ),
    ("ReplicaMissing", "warning", "{service}: one replica fewer than wished", "kube_replicas_missing > 0"),
    ("TargetDown", "warning", "{service}: a scrape target does not answer", "up == 0"),
    ("CertificateExpiresSoon", "info", "{service}: the certificate expires in 20 days", "cert_expiry < 1728000"),
)
"""Name, severity, summary and expression of alerts that stay for long: silenced, inhibited or just known."""

BRANCHES = ("feat/wishlist", "fix/rounding", "feat/dark-theme", "chore/deps", "fix/重複通知", "perf/price-cache")
