// The same requests without an agent: answered by the command `jilog`, which reads and writes the ledger itself.

import { spawn } from "node:child_process";

import { limited } from "./connection.js";
import { ConnectionFailed, refusal } from "./errors.js";
import { ALL } from "./requests.js";

const CODES = new Map([
  [2, "invalid_params"],
  [4, "integrity"],
  [5, "storage"],
  [6, "busy"],
]);

/**
 * Do what a request asks for.
 * @throws {Refused} it cannot be done
 * @throws {RequestTimeout} the command took too long, and was ended
 */
export async function answer(command, home, request, deadline) {
  const { words, input = "", read } = COMMANDS[request.method](request.params, request.key);
  const [program, ...first] = command;
  const argv = [...first, words[0], `--home=${home}`, ...words.slice(1)];
  const done = await run(program, argv, { input, cwd: request.params.cwd, deadline });
  if (done.status !== 0) throw failure(done);
  try {
    return read(done.stdout);
  } catch (cause) {
    throw new ConnectionFailed(`what ${program} printed is not understood`, { hint: "see: jilog --version", cause });
  }
}

/** How each method of the socket is said on a command line, and its result found in what is printed. */
const COMMANDS = {
  write: ({ entry, ...params }) => ({
    words: [
      "write",
      "--json",
      "--body=-",
      ...options({
        type: entry.type,
        title: entry.title,
        session: entry.session_id,
        id: entry.id,
        timestamp: entry.timestamp,
        tag: entry.tags,
        file: entry.file_refs,
        alternative: entry.alternatives,
        outcome: entry.outcome,
        resolves: entry.resolves,
        supersedes: entry.supersedes,
        actor: params.actor,
        confidential: params.confidential,
        "keep-secrets": params.keep_secrets,
        zone: params.zone,
      }),
    ],
    // The command takes one line end off.
    input: `${entry.body}\n`,
    read: (text) => JSON.parse(text).entry,
  }),
  query: ({ text, limit, offset, ...params }) => ({
    words: [
      text === undefined ? "log" : "search",
      "--json",
      ...filterOptions(params, params.start),
      ...options({ limit: limit === ALL ? 0 : limit, offset }),
      ...(text === undefined ? [] : ["--", text]),
    ],
    read: (output) => JSON.parse(output).entries,
  }),
  context: ({ files, topic, limit, budget_tokens: budget, text, zone }) => ({
    words: ["context", ...options({ json: !text, file: files, topic, limit, budget, zone })],
    read: text ? (output) => output : JSON.parse,
  }),
  export: (params) => ({
    words: [
      "export",
      ...filterOptions(params, params.since),
      ...options({ format: params.format, template: params.template, confidential: params.confidential }),
    ],
    read: (output) => output,
  }),
  blame: ({ file_path: path, zone }) => ({
    words: ["blame", "--json", ...options({ zone }), "--", path],
    // The socket gives the oldest first.
    read: (output) => JSON.parse(output).entries.reverse(),
  }),
  show: ({ id, zone }) => ({ words: ["show", "--json", ...options({ zone }), "--", id], read: JSON.parse }),
  "turn.start": ({ cwd: _, ...params }) => ({ words: ["turn", "start", "--json", ...options(params)], read: JSON.parse }),
  "turn.record": ({ cwd: _, attach_diff, if_dirty, message_id, auto_start, evidence = [], ...params }, key) => ({
    words: [
      "turn",
      "record",
      "--json",
      ...options({
        ...params,
        evidence: evidence.map((item) => JSON.stringify(item)),
        // Whoever measured knows already what failed.
        "allow-failure": evidence.length > 0,
        "attach-diff": attach_diff,
        "if-dirty": if_dirty,
        "message-id": message_id || key,
        "auto-start": auto_start,
      }),
    ],
    read: JSON.parse,
  }),
  "turn.end": ({ cwd: _, ...params }) => ({ words: ["turn", "end", "--json", ...options(params)], read: JSON.parse }),
  "turn.log": ({ cwd: _, everywhere: all, ...params }) => ({
    words: ["turn", "log", "--json", ...options({ all, ...params })],
    read: (output) => JSON.parse(output).records,
  }),
  "turn.show": ({ id }) => ({ words: ["turn", "show", "--json", "--", id], read: JSON.parse }),
  "turn.current": ({ agent }) => ({ words: ["turn", "status", "--json", ...options({ agent })], read: currentOf }),
  "turn.use": ({ session, agent }) => ({
    words: ["turn", "use", ...options({ agent }), "--", session],
    read: (output) => ({ session: { id: output.match(/sess_\w+/)[0] } }),
  }),
  trace: ({ id }) => ({ words: ["trace", "--json", "--", id], read: JSON.parse }),
};

function currentOf(output) {
  return { session: JSON.parse(output).current ?? null };
}

function filterOptions({ type, session_id: session, tags, file_path: file, before, open, zone }, since) {
  return options({ type, session, tag: tags, file, since, until: before, open, zone });
}

/** Write options in one word each, so that a value may begin with a dash. */
function options(values) {
  return Object.entries(values).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    if (value === true) return [`--${name}`];
    return [value].flat().map((item) => `--${name}=${item}`);
  });
}

function run(program, argv, { input, cwd, deadline }) {
  return limited(deadline, (succeed, fail) => {
    const child = spawn(program, argv, { cwd, stdio: ["pipe", "pipe", "pipe"] });
    const stdout = [];
    const stderr = [];
    child.stdout.on("data", (data) => stdout.push(data));
    child.stderr.on("data", (data) => stderr.push(data));
    // A command that refuses its arguments does not read its input.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("error", (cause) =>
      fail(
        new ConnectionFailed(`no agent runs, and ${program} cannot be started: ${cause.code}`, {
          hint: "start an agent: jilog agent start; or give the client a command",
          cause,
        }),
      ),
    );
    child.on("close", (status) => succeed({ status, stdout: joined(stdout), stderr: joined(stderr) }));
    return () => child.kill("SIGKILL");
  });
}

function joined(pieces) {
  return Buffer.concat(pieces).toString("utf8");
}

function failure({ status, stderr }) {
  const said = (kind) => stderr.match(new RegExp(`^jilog: ${kind}: (.*)$`, "m"))?.[1];
  const message = said("error") ?? `jilog ended with status ${status}`;
  return refusal(CODES.get(status) ?? "error", message, said("hint") ?? null);
}
