"""Redaction: what goes, and what must stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_review.redact import redact

KEY_BODY = "MIIEvQIBADANBgkq\nhkiG9w0BAQEF"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see /home/alex/src/app.py", "see ~/src/app.py"),
        ("see /Users/sam/src", "see ~/src"),
        (r"open C:\Users\sam\notes.txt", r"open ~\notes.txt"),
        ("/x/projects/-home-alex-src-app/1.jsonl", "/x/projects/-~-src-app/1.jsonl"),
        ("ask sam.lee+x@mail.example.org now", "ask [email] now"),
        ("AKIAABCDEFGHIJKLMNOP", "[aws key]"),
        ("ghp_" + "a1" * 18, "[github token]"),
        ("sk-ant-" + "a1B2" * 8, "[api key]"),
        ("Authorization: Bearer abcdef0123456789abcd", "Authorization: Bearer [token]"),
        ("https://sam:hunter22@example.org/x", "https://[credentials]@example.org/x"),
        ("DB_PASSWORD=hunter2hunter2", "DB_PASSWORD=[secret]"),
        ('api_key: "abc123def456"', 'api_key: "[secret]"'),
        (
            f"-----BEGIN RSA PRIVATE KEY-----\n{KEY_BODY}\n-----END RSA PRIVATE KEY-----",
            "[private key]",
        ),
        (f"-----BEGIN PRIVATE KEY-----\n{KEY_BODY}", "[private key]"),
    ],
)
def test_secret_or_personal_text_is_replaced(text: str, expected: str) -> None:
    assert redact(text).text == expected
    assert redact(text).places == 1


@pytest.mark.parametrize(
    "text",
    [
        "~ was not expanded; use $HOME or an absolute path",
        "0e91a2b4-7d3f-4e2a-9c1b-44a7f3d8a1e2",
        "git clone git@github.com:org/repo.git",
        "the token count is 12000 and the secret is patience",
        "password=$PASSWORD_FROM_ENV",
        "use @decorator or a@b",
        "/homebrew/bin/x and /var/lib/y",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == (text, 0)


@given(st.text(max_size=300))
def test_redaction_when_repeated_changes_nothing_more(text: str) -> None:
    once = redact(text).text

    assert redact(once).text == once
