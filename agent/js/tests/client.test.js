// AF36: what the client sends, whose word counts, and what goes wrong in which way.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { realpathSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import * as jilog from "../index.js";
import { HANG, HANG_UP, fakeAgent, folder, ok, refused } from "./fake-agent.js";

const ENTRY = { id: "e1", timestamp: "2026-01-01T00:00:00Z", session_id: "s", type: "decision", title: "t" };
const SHORT_MS = 200;

delete process.env.JILOG_SESSION;
delete process.env.JILOG_HOME;

/** A command that stands in for `jilog`: it is given a script's text. */
function commandOf(t, script) {
  const path = join(folder(t), "jilog.cjs");
  writeFileSync(path, script);
  return [process.execPath, path];
}

test("the first write makes a session and others use it", async (t) => {
  const agent = await fakeAgent(t, ok(ENTRY), ok(ENTRY), ok(ENTRY));
  const client = new jilog.Client({ socketPath: agent.path });
  assert.equal(client.sessionId, null);

  assert.equal(await client.write({ type: "decision", title: "one" }), "e1");
  await client.write({ type: "decision", title: "two", session: "other" });
  await client.write({ type: "decision", title: "three" });

  const sessions = agent.requests.map(({ params }) => params.entry.session_id);
  assert.deepEqual(sessions, [client.sessionId, "other", client.sessionId]);
});

test("a given session counts before the environment's", async (t) => {
  const agent = await fakeAgent(t, ok(ENTRY), ok(ENTRY));
  process.env.JILOG_SESSION = "from-environment";
  t.after(() => delete process.env.JILOG_SESSION);

  await new jilog.Client({ socketPath: agent.path }).write({ type: "decision", title: "one" });
  await new jilog.Client({ socketPath: agent.path, session: "given" }).write({ type: "decision", title: "two" });

  assert.deepEqual(agent.requests.map(({ params }) => params.entry.session_id), ["from-environment", "given"]);
});

test("arguments count before the environment, and that before the default", (t) => {
  const byDefault = new jilog.Client();
  process.env.JILOG_HOME = "/tmp/variable";
  t.after(() => delete process.env.JILOG_HOME);

  assert.equal(byDefault.home, join(homedir(), ".jilog"));
  assert.equal(new jilog.Client().home, "/tmp/variable");
  assert.equal(new jilog.Client({ home: "/tmp/argument" }).home, "/tmp/argument");
  assert.equal(new jilog.Client({ home: "~/x" }).home, join(homedir(), "x"));
  assert.equal(new jilog.Client({ socketPath: "/tmp/other.sock" }).socketPath, "/tmp/other.sock");
});

test("a home whose path is too long for a socket has it in a short folder", () => {
  const { socketPath } = new jilog.Client({ home: `/tmp/${"x".repeat(120)}` });

  assert.match(socketPath, /^\/tmp\/jilog-\d+-[0-9a-f]{16}\/agent\.sock$/);
});

test("what cannot be meant is refused and nothing is sent", async (t) => {
  const agent = await fakeAgent(t);
  const client = new jilog.Client({ socketPath: agent.path });
  const calls = [
    () => client.write({ type: "thought", title: "t" }),
    () => client.write({ type: "decision", title: " " }),
    () => client.write({ type: "decision", title: 1 }),
    () => client.write({ type: "decision", title: "t", tags: "a" }),
    () => client.query(" "),
    () => client.log({ limit: -1 }),
    () => client.log({ limit: 1.5 }),
    () => client.context(),
    () => client.blame(""),
    () => client.show(""),
    async () => new jilog.Client({ timeoutMs: 0 }),
  ];

  for (const call of calls) await assert.rejects(call, jilog.InvalidArgument);

  assert.deepEqual(agent.requests, []);
});

test("no socket and a dead one are connection errors", async (t) => {
  const path = join(folder(t), "s.sock");
  const client = new jilog.Client({ socketPath: path });
  await assert.rejects(client.log(), jilog.AgentNotRunning);
  // A process that ends without cleaning up leaves its socket behind.
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  spawnSync(process.execPath, ["-e", script]);

  await assert.rejects(client.log(), (error) => {
    assert.ok(error instanceof jilog.ConnectionFailed && !(error instanceof jilog.AgentNotRunning));
    assert.equal(error.hint, "start it: jilog agent start");
    return true;
  });
});

test("an agent that hangs is a timeout", async (t) => {
  const agent = await fakeAgent(t, HANG);
  const client = new jilog.Client({ socketPath: agent.path, timeoutMs: SHORT_MS });

  await assert.rejects(client.write({ type: "decision", title: "t" }), jilog.RequestTimeout);
  assert.equal(agent.requests.length, 1);
});

test("an agent that goes away is asked again with the same id", async (t) => {
  const agent = await fakeAgent(t, HANG_UP, ok(ENTRY));

  await new jilog.Client({ socketPath: agent.path }).write({ type: "decision", title: "t" });

  const [first, second] = agent.requests;
  assert.deepEqual(first.params.entry, second.params.entry);
  assert.deepEqual([first.params.fresh, second.params.fresh], [true, undefined]);
  assert.match(first.params.entry.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("an agent that goes away twice is an error", async (t) => {
  const agent = await fakeAgent(t, HANG_UP, ok([]).slice(0, 9), ok([]));

  await assert.rejects(new jilog.Client({ socketPath: agent.path }).log(), jilog.ConnectionFailed);
  assert.equal(agent.requests.length, 2);
});

test("each code is an error of its kind", async (t) => {
  const kinds = {
    invalid_params: jilog.InvalidArgument,
    conflict: jilog.InvalidArgument,
    not_found: jilog.InvalidArgument,
    busy: jilog.Busy,
    storage: jilog.StorageRefused,
    integrity: jilog.Damaged,
    internal: jilog.Refused,
  };
  for (const [code, kind] of Object.entries(kinds)) {
    const agent = await fakeAgent(t, refused(code));
    await assert.rejects(new jilog.Client({ socketPath: agent.path }).log(), (error) => {
      assert.equal(error.constructor, kind);
      assert.ok(error instanceof jilog.JilogSdkError);
      assert.deepEqual([error.code, error.message, error.hint, error.name], [code, "it is so", "do this", kind.name]);
      return true;
    });
  }
});

test("an answer that is none of ours is a connection error", async (t) => {
  for (const answer of ["\n", "[]\n", "{\n", ok(null), ok("x"), ok([1]), ok([{ id: 1 }])]) {
    const agent = await fakeAgent(t, answer, answer);
    await assert.rejects(new jilog.Client({ socketPath: agent.path }).log(), jilog.ConnectionFailed);
  }
});

test("a reply in parts is put together, wherever its bytes are cut", async (t) => {
  const body = "Größe 🎉\n".repeat(10);
  const whole = ok([{ ...ENTRY, body }]);
  const parts = whole.match(/[^]{1,7}/gu).map((part) => ({ id: 1, part }));
  const lines = [...parts, { id: 1, parts: parts.length }];
  const bytes = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  const pieces = [];
  for (let start = 0; start < bytes.length; start += 5) pieces.push(bytes.subarray(start, start + 5));
  const agent = await fakeAgent(t, pieces);

  const [entry] = await new jilog.Client({ socketPath: agent.path }).log();

  assert.equal(entry.body, body);
  assert.ok(Object.isFrozen(entry));
});

test("lone surrogates become visible escapes", async (t) => {
  const agent = await fakeAgent(t, ok(ENTRY));

  await new jilog.Client({ socketPath: agent.path }).write({ type: "decision", title: "a\ud800b 🎉" });

  assert.equal(agent.requests[0].params.entry.title, "a\\ud800b 🎉");
});

test("without an agent the command answers, whatever its arguments begin with", async (t) => {
  const script = `process.stdout.write(JSON.stringify({ entries: [{ ...${JSON.stringify(ENTRY)}, title: process.argv.slice(2).join(" ") }] }))`;
  const home = folder(t);
  const client = new jilog.Client({ home, command: commandOf(t, script) });

  const [entry] = await client.query("--json", { tag: "-x", limit: 3 });

  assert.equal(entry.title, `search --home=${home} --json --tag=-x --limit=3 --offset=0 -- --json`);
});

test("a command that fails gives its own message and hint", async (t) => {
  const script = `process.stderr.write("jilog: error: the disk is full\\njilog: hint: free some\\n"); process.exit(5)`;
  const client = new jilog.Client({ home: folder(t), command: commandOf(t, script) });

  await assert.rejects(client.log(), (error) => {
    assert.ok(error instanceof jilog.StorageRefused);
    assert.deepEqual([error.message, error.hint], ["the disk is full", "free some"]);
    return true;
  });
});

test("a command that hangs is ended, and one that prints nonsense or is missing is told", async (t) => {
  const home = folder(t);
  const hanging = new jilog.Client({ home, timeoutMs: SHORT_MS, command: commandOf(t, "setInterval(() => {}, 1000)") });
  const odd = new jilog.Client({ home, command: commandOf(t, "console.log('odd')") });
  const missing = new jilog.Client({ home, command: [join(home, "none")] });

  await assert.rejects(hanging.log(), jilog.RequestTimeout);
  await assert.rejects(odd.log(), jilog.ConnectionFailed);
  await assert.rejects(missing.log(), /no agent runs, and .* cannot be started: ENOENT/);
});

test("a check is run here, and only what it measured goes to the agent", async (t) => {
  const agent = await fakeAgent(t, ok({ created: true, turn: { id: "turn_1" }, notes: [] }));
  const cwd = folder(t);
  const client = new jilog.Client({ socketPath: agent.path, cwd });

  const line = await client.turn.check("pwd; echo no >&2; exit 3", { shell: true });
  const turn = await client.turn.record({ summary: "done", verification: ["read it"], evidence: [line] });

  const { verification, evidence } = agent.requests[0].params;
  assert.equal(turn.id, "turn_1");
  assert.deepEqual(verification, ["read it"]);
  assert.deepEqual(evidence, [line]);
  const output = `${realpathSync(cwd)}\nno\n`;
  const digest = createHash("sha256").update(output).digest("hex");
  assert.deepEqual([line.exit_status, line.output_bytes, line.output_sha256], [3, output.length, digest]);
});

test("what is no check, or has no folder to run in, is refused", async (t) => {
  const client = new jilog.Client({ socketPath: "/not/there.sock", cwd: join(folder(t), "gone") });

  await assert.rejects(client.turn.check(["true"]), jilog.InvalidArgument);
  for (const wrong of [[], [" "], ["a", 1], "npm test", undefined]) {
    await assert.rejects(client.turn.check(wrong), jilog.InvalidArgument, String(wrong));
  }
  await assert.rejects(client.turn.check(["true"], { timeoutMs: 0 }), jilog.InvalidArgument);
  await assert.rejects(client.turn.check(["true"], { signal: AbortSignal.abort() }), { name: "AbortError" });
});

test("the module's functions use the environment's home", async (t) => {
  process.env.JILOG_HOME = folder(t);
  t.after(() => delete process.env.JILOG_HOME);

  assert.equal(jilog.defaultClient().home, process.env.JILOG_HOME);
  assert.equal(jilog.defaultClient(), jilog.defaultClient());
  for (const name of ["write", "query", "log", "context", "export", "blame", "show"]) {
    assert.equal(typeof jilog[name], "function", name);
  }
});
