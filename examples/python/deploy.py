"""A deploy script that asks what was decided before it starts, and writes down what it did.

Run: python deploy.py staging
"""

from __future__ import annotations

import argparse

import jilog_agent.sdk as jilog


def main() -> None:
    """Deploy to the environment that was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", choices=("staging", "production"))
    environment: str = parser.parse_args().environment

    tag = f"deploy-{environment}"
    for entry in jilog.log(type="attempt_failed", tag=tag, since="30d"):
        print(f"mind: {entry.title} ({entry.timestamp:.10})")

    try:
        release = deploy(environment)
    except RuntimeError as error:
        jilog.write("attempt_failed", f"Deploying to {environment}: {error}", tags=[tag])
        raise SystemExit(f"not deployed: {error}") from error
    entry_id = jilog.write(
        "decision",
        f"{environment} runs {release}",
        body="Deployed by examples/python/deploy.py.",
        tags=[tag],
    )
    print(f"deployed {release}; written down as {entry_id}")


def deploy(environment: str) -> str:
    """Do the work; here there is none, but production wants a release that staging had."""
    releases = [entry.title.rpartition(" ")[2] for entry in jilog.log(tag="deploy-staging", type="decision")]
    if environment == "staging":
        return f"release-{len(releases) + 1}"
    if not releases:
        raise RuntimeError("no release was on staging yet")
    return releases[0]


if __name__ == "__main__":
    main()
