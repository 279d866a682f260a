"""What a secret looks like: curated rules, each with a name, for text that must not be stored.

The forms are those that the issuers publish (prefix, alphabet, length). A library for this was measured and
turned down: it loads a network client, reports places by line only, and calls half of ordinary text
high-entropy. Detection by entropy is left out on purpose: commit hashes and ids would go, and with them the
sense of most errors.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class SecretRule(NamedTuple):
    """Replaces ``pattern``, which can only match where one of ``hints`` stands (far cheaper to look for).

    Hints are in lower case and are looked for in the text in lower case.
    """

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str


_KEY_HEADER = r"-----(?:BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_KEYWORD = (
    r"(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key|"
    r"client[_-]?secret|auth[_-]?token|token|credentials?)"
)
_KEYWORD_HINTS = ("passw", "passphrase", "secret", "key", "token", "credential")
# A value that is a reference to a secret, or a stand-in for one, is not one.
_VALUE = r"(?![$<{%*\[])(?=[^\s\"',;]{0,200}\d)[^\s\"',;\[${}<>()\\]{8,200}"
_ASSIGNMENT = (
    rf"(?i)\b([A-Z0-9_.-]{{0,60}}{_KEYWORD}[\"'\\]{{0,2}})(\s{{0,3}}(?:=|:)\s{{0,3}}\\?[\"']?){_VALUE}"
)
_VARIABLE = (
    r"\b([A-Z][A-Z0-9_]{0,60}(?:PASSWORD|PASSWD|SECRET|API_KEY|ACCESS_KEY|TOKEN))(=[\"']?)"
    r"(?![$<{%*\[])[^\s\"',;\[${}<>()&|]{8,200}"
)
_FLAG = (
    rf"(?i)(?<=\s)(--?[a-z-]{{0,30}}{_KEYWORD})(\s+|=)"
    r"(?![-$<{%*\[\"'])(?=\S{0,200}\d)[^\s\"',;\[$]{8,200}"
)

_TABLE: tuple[tuple[str, tuple[str, ...], str, str], ...] = (
    (
        "private-key",
        ("private key",),
        rf"{_KEY_HEADER}(?:(?!-----)[\s\S])*(?:{_KEY_HEADER}|\Z|(?=-----))",
        "[private key]",
    ),
    ("age-key", ("age-secret-key-",), r"\bAGE-SECRET-KEY-1[0-9A-Z]{20,80}", "[private key]"),
    ("aws-key", ("akia", "asia", "aroa", "aida"), r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b", "[aws key]"),
    (
        "github",
        ("gh", "github_pat_"),
        r"(?:gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255})",
        "[github token]",
    ),
    ("gitlab", ("gl",), r"\bgl(?:pat|dt|rt|ptt|cbt|agent|soat|ft)-[A-Za-z0-9_-]{20,}", "[gitlab token]"),
    (
        "slack",
        ("xox", "xapp-"),
        r"\b(?:xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-\d-[A-Za-z0-9-]{10,})",
        "[slack token]",
    ),
    (
        "webhook",
        ("hooks.slack.com", "/api/webhooks/", "webhook.office.com"),
        r"(hooks\.slack\.com/(?:services|workflows)|/api/webhooks|webhook\.office\.com/webhookb2)/[A-Za-z0-9_/@=+-]{10,300}",
        r"\1/[secret]",
    ),
    ("google", ("aiza",), r"\bAIza[0-9A-Za-z_-]{35}", "[google key]"),
    (
        "google-oauth",
        ("gocspx-", "ya29."),
        r"\b(?:GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,})",
        "[google key]",
    ),
    ("npm", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b", "[npm token]"),
    ("pypi", ("pypi-",), r"\bpypi-AgE[A-Za-z0-9_-]{40,}", "[pypi token]"),
    (
        "stripe",
        ("k_live_", "k_test_", "whsec_"),
        r"\b(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]{16,}",
        "[stripe key]",
    ),
    ("model-api", ("sk-",), r"\bsk-[A-Za-z0-9_-]{20,}", "[api key]"),
    (
        "model-api-other",
        ("hf_", "gsk_", "r8_", "xai-", "nvapi-", "pplx-", "tvly-", "fw_"),
        r"\b(?:hf_[A-Za-z]{30,}|(?:gsk_|r8_|xai-|nvapi-|pplx-|tvly-|fw_)[A-Za-z0-9_-]{20,})",
        "[api key]",
    ),
    ("telegram", (":aa",), r"\b\d{8,10}:AA[A-Za-z0-9_-]{32,34}\b", "[token]"),
    ("jwt", ("eyj",), r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}", "[jwt]"),
    (
        "authorization",
        ("bearer", "basic"),
        r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{16,}",
        r"\1 [token]",
    ),
    (
        "signed-url",
        ("signature=", "sig=", "token=", "key="),
        r"(?i)([?&](?:x-amz-signature|x-goog-signature|signature|sig|(?:access_|auth_|api_?)?(?:token|key))=)(?!\[)[A-Za-z0-9%._~+/=-]{12,}",
        r"\1[secret]",
    ),
    ("url-credentials", ("://",), r"(?<=://)[^\s/@:'\"]{1,256}:[^\s/@'\"]{1,256}@", "[credentials]@"),
    ("variable", _KEYWORD_HINTS, _VARIABLE, r"\1\2[secret]"),
    ("assignment", _KEYWORD_HINTS, _ASSIGNMENT, r"\1\2[secret]"),
    ("flag", _KEYWORD_HINTS, _FLAG, r"\1\2[secret]"),
)

# Services whose tokens are a fixed prefix and a known alphabet: the prefix is its own hint.
_PREFIXED: tuple[tuple[str, str, str], ...] = (
    ("atlassian", "ATATT3x", r"[A-Za-z0-9_=-]{40,}"),
    ("databricks", "dapi", r"[a-f0-9]{32}"),
    ("digitalocean", "dop_v1_", r"[a-f0-9]{40,}"),
    ("digitalocean", "doo_v1_", r"[a-f0-9]{40,}"),
    ("docker", "dckr_pat_", r"[A-Za-z0-9_-]{20,}"),
    ("doppler", "dp.pt.", r"[A-Za-z0-9]{40,}"),
    ("figma", "figd_", r"[A-Za-z0-9_-]{30,}"),
    ("grafana", "glc_", r"[A-Za-z0-9+/=_-]{30,}"),
    ("grafana", "glsa_", r"[A-Za-z0-9+/=_-]{30,}"),
    ("linear", "lin_api_", r"[A-Za-z0-9]{32,}"),
    ("linear", "lin_oauth_", r"[A-Za-z0-9]{32,}"),
    ("mailgun", "key-", r"[a-f0-9]{32}"),
    ("notion", "ntn_", r"[A-Za-z0-9]{40,}"),
    ("1password", "ops_ey", r"[A-Za-z0-9_-]{40,}"),
    ("posthog", "phx_", r"[A-Za-z0-9]{30,}"),
    ("postman", "PMAK-", r"[a-f0-9]{24}-[a-f0-9]{34}"),
    ("rubygems", "rubygems_", r"[a-f0-9]{48}"),
    ("sendgrid", "SG.", r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("sentry", "sntrys_", r"[A-Za-z0-9+/=_-]{40,}"),
    ("shopify", "shpat_", r"[A-Fa-f0-9]{32}"),
    ("shopify", "shpss_", r"[A-Fa-f0-9]{32}"),
    ("square", "sq0", r"[a-z]{3}-[A-Za-z0-9_-]{22,}"),
    ("supabase", "sbp_", r"[a-f0-9]{40}"),
    ("tailscale", "tskey-", r"[a-z]{3,10}-[A-Za-z0-9-]{16,}"),
    ("vault", "hvs.", r"[A-Za-z0-9_-]{20,}"),
)


def _rules() -> tuple[SecretRule, ...]:
    prefixed = tuple(
        SecretRule(name, (prefix.lower(),), re.compile(rf"\b{re.escape(prefix)}{rest}"), "[token]")
        for name, prefix, rest in _PREFIXED
    )
    table = tuple(SecretRule(name, hints, re.compile(form), text) for name, hints, form, text in _TABLE)
    # Assignments come last: they would hide which kind of secret it was.
    return table[:-_GENERAL] + prefixed + table[-_GENERAL:]


_GENERAL = 3
SECRET_RULES = _rules()
