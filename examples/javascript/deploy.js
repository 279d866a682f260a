// A deploy script that asks what was decided before it starts, and writes down what it did.
//
// Run: node deploy.js staging        (after: npm install path/to/agent/js)

import * as jilog from "jilog";

const environment = process.argv[2];
if (!["staging", "production"].includes(environment)) {
  console.error("usage: node deploy.js staging|production");
  process.exit(2);
}
const tag = `deploy-${environment}`;

for (const entry of await jilog.log({ type: "attempt_failed", tag, since: "30d" })) {
  console.log(`mind: ${entry.title}`);
}

// Production wants a release that staging had.
const staged = await jilog.log({ tag: "deploy-staging", type: "decision" });
const release =
  environment === "staging" ? `release-${staged.length + 1}` : staged[0]?.title.split(" ").at(-1);
if (release === undefined) {
  const title = `Deploying to ${environment}: no release was on staging yet`;
  await jilog.write({ type: "attempt_failed", title, tags: [tag] });
  console.error("not deployed: no release was on staging yet");
  process.exit(1);
}
const id = await jilog.write({
  type: "decision",
  title: `${environment} runs ${release}`,
  body: "Deployed by examples/javascript/deploy.js.",
  tags: [tag],
});
console.log(`deployed ${release}; written down as ${id}`);
