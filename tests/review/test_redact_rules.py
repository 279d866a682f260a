"""Redaction, rule by rule: secrets are put together at run time, so that no scanner finds one here."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_ledger.errors import InputError
from jilog_review.redact import RedactionPolicy, make_redactor, policy_from, redact
from jilog_review.secret_rules import SECRET_RULES

WORD = "aB3dE5gH7jK9mN2pQ4sT6vW8xY0z" * 3
HEX = "0a1b2c3d4e5f" * 6


def secrets() -> dict[str, str]:
    """Make one secret of every form, none of which was ever issued."""
    return {
        "aws-key": "AK" + "IA" + "Q" * 12 + "2345",
        "github": "gh" + "p_" + WORD[:36],
        "github-fine": "github_" + "pat_" + WORD[:40],
        "gitlab": "gl" + "pat-" + WORD[:20],
        "slack": "xo" + "xb-" + "1234567890-" + WORD[:24],
        "google": "AI" + "za" + WORD[:35],
        "google-oauth": "GOC" + "SPX-" + WORD[:28],
        "npm": "np" + "m_" + WORD[:36],
        "pypi": "py" + "pi-AgE" + WORD[:60],
        "stripe": "sk" + "_live_" + WORD[:24],
        "model-api": "s" + "k-ant-api03-" + WORD[:60],
        "hugging-face": "h" + "f_" + "aBcDeFgHiJ" * 4,
        "groq": "gs" + "k_" + WORD[:40],
        "docker": "dckr" + "_pat_" + WORD[:27],
        "digitalocean": "dop" + "_v1_" + HEX[:64],
        "sendgrid": "S" + "G." + WORD[:22] + "." + WORD[:43],
        "vault": "hv" + "s." + WORD[:30],
        "telegram": "123456789:" + "AA" + WORD[:33],
        "age": "AGE-SECRET-" + "KEY-1" + "QPZRY9X8" * 6,
        "jwt": "ey" + "J" + WORD[:20] + "." + "ey" + "J" + WORD[:20] + "." + WORD[:30],
    }


@pytest.mark.parametrize("name", sorted(secrets()))
@pytest.mark.parametrize("around", ["{}", "key {} was refused", '{{"k":"{}"}}', "({})", "X={},"])
def test_secret_of_every_form_is_replaced_wherever_it_stands(name: str, around: str) -> None:
    secret = secrets()[name]

    redacted = redact(around.format(secret))

    assert secret[8:] not in redacted.text
    assert redacted.places >= 1
    assert redact(redacted.text) == (redacted.text, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"password": "hunter2hunter2"}', '{"password": "[secret]"}'),
        (r"{\"api_key\":\"abc123def456\"}", r"{\"api_key\":\"[secret]\"}"),
        ("export SERVICE_TOKEN=correcthorsebattery", "export SERVICE_TOKEN=[secret]"),
        ("login --password hunter2hunter2 now", "login --password [secret] now"),
        ("AccountKey=abc123abc123abc123==;x", "AccountKey=[secret];x"),
        ("https://x.example/f?token=abcdef012345&y=1", "https://x.example/f?token=[secret]&y=1"),
        ("https://hooks.slack.com/services/T00/B00/XyZ123456", "https://hooks.slack.com/services/[secret]"),
        ("file:///home/alex/a%20b", "file://~/a%20b"),
        ("cwd=%2FUsers%2Falex%2Fsrc", "cwd=~%2Fsrc"),
    ],
)
def test_secret_that_only_its_surroundings_tell_is_replaced(text: str, expected: str) -> None:
    assert redact(text) == (expected, 1)


@pytest.mark.parametrize(
    "text",
    [
        "fatal: unable to read 0123456789abcdef0123456789abcdef01234567",
        "npm install left-pad@1.3.0-beta.rc and pkg@4.41.0-next.one",
        "token_count=120000 of max_tokens: 200000",
        "const token = await getToken(request)",
        "password: str = field(default='')",
        "PASSWORD=${DB_PASSWORD} TOKEN=<your-token> API_KEY=$KEY",
        "secret: {{ vault.secret }}",
        "the basic idea, bearer of news",
        "sk-1 and key-value and ghp_ and hf_model",
        "see https://example.org/a?page=2&key=7 and /homes/x",
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "string to replace not found in file",
    ],
)
def test_ordinary_text_of_transcripts_stays(text: str) -> None:
    assert redact(text) == (text, 0)


FRAGMENTS = st.one_of(
    st.sampled_from(sorted(secrets().values())),
    st.sampled_from(
        [
            *(
                "/home/",
                "/Users/alex",
                "a@b.example",
                "password=",
                "token: ",
                "Bearer ",
                "://",
                "@",
                "[secret]",
            ),
            *("~", "\n", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "API_KEY=", "--token "),
            *('"', "\\", "eyJ", "%2Fhome%2F"),
        ]
    ),
    st.text(alphabet=string.ascii_letters + string.digits + " /@=:.-_", max_size=20),
)


@given(st.lists(FRAGMENTS, max_size=12).map("".join))
def test_redacted_text_when_redacted_again_stays_the_same(text: str) -> None:
    once = redact(text).text

    assert redact(once) == (once, 0)


@given(st.lists(FRAGMENTS, max_size=6).map("".join), st.sampled_from(sorted(secrets().values())))
def test_secret_between_blanks_never_survives_whatever_stands_around_it(text: str, secret: str) -> None:
    assert f" {secret} " not in redact(f"{text} {secret} {text}").text


def test_every_rule_has_a_name_and_a_hint_that_its_pattern_needs() -> None:
    assert all(rule.name and rule.hints for rule in SECRET_RULES)
    assert all(isinstance(rule.pattern, re.Pattern) for rule in SECRET_RULES)
    assert len(SECRET_RULES) > 40


def test_policy_of_a_zone_may_keep_addresses_and_folders_but_no_secret() -> None:
    keep = make_redactor(policy_from({"emails": False, "home_paths": False}))
    secret = secrets()["aws-key"]

    assert (
        keep(f"ask a@b.example in /home/alex about {secret}").text
        == "ask a@b.example in /home/alex about [aws key]"
    )


def test_pattern_of_the_users_own_is_replaced_and_counted() -> None:
    own = make_redactor(RedactionPolicy(patterns=(r"\bACME-\d+\b",)))

    assert own("ACME-12 and ACME-7") == ("[redacted] and [redacted]", 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"email": True}, "unknown key 'email'"),
        ({"emails": "no"}, "must be true or false"),
        ({"patterns": "x"}, "must be a list"),
        ({"patterns": ["("]}, "no regular expression"),
        ({"patterns": [".*"]}, "matches the empty text"),
        ({"patterns": ["redacted"]}, "matches the empty text"),
        ({"patterns": ["x" * 501]}, "too long"),
        ({"patterns": ["x"] * 51}, "at most 50"),
    ],
)
def test_policy_with_a_wrong_option_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        policy_from(options)
