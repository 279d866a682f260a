// One tool for agents that take tools as JavaScript objects: turns, through the command `jilog` (docs/sdk.md).

import { spawn } from "node:child_process";

const DEFAULT_GOAL = "Record repository work and continuation context";
const SUMMARY_CHARS = 120;
const TIMEOUT_MS = 60_000;

const PARAMETERS = {
  type: "object",
  properties: {
    action: { type: "string", enum: ["status", "init", "start", "record", "report", "auto"] },
    goal: { type: "string", description: "What the session is for." },
    ticket: { type: "string" },
    summary: { type: "string", description: "What was done." },
    id: { type: "string", description: "The session to report; the current one unless named." },
    enabled: { type: "boolean", description: "For auto: whether every answer is recorded." },
    autoInit: { type: "boolean", description: "Make the store when it is missing." },
    autoStart: { type: "boolean", description: "Begin a session when there is none." },
  },
  required: ["action"],
};

/** Squeeze what an agent said into one line that fits a summary. */
export function suggestedSummary(text) {
  const line = text.trim().split(/\s+/u).join(" ");
  const characters = [...line];
  if (characters.length <= SUMMARY_CHARS) return line;
  return `${characters
    .slice(0, SUMMARY_CHARS - 1)
    .join("")
    .trimEnd()}…`;
}

/** Make the tool. `command` is $JILOG_BIN, else `jilog`; `agent` gives it a current session of its own. */
export function turnTool({ command = [process.env.JILOG_BIN || "jilog"], cwd, agent, autoRecord = false } = {}) {
  let automatic = autoRecord;
  let lastText = "";

  const run = (...words) => runCommand(command, ["turn", ...words, ...(agent ? [`--agent=${agent}`] : [])], cwd);

  /** Only a changed working tree is recorded, and the same message once, whoever asks again and when. */
  const record = ({ summary, goal, ticket, messageId, autoInit = false, autoStart = false }) =>
    (async () => {
      if (autoInit) {
        const made = await runCommand(command, ["turn", "init"], cwd);
        if (made.code !== 0) return made;
      }
      if (autoStart && ticket && !(await hasSession(run))) {
        const begun = await run("start", `--goal=${goal ?? DEFAULT_GOAL}`, `--ticket=${ticket}`);
        if (begun.code !== 0) return begun;
      }
      return run(
        "record",
        "--if-dirty",
        `--summary=${suggestedSummary(summary ?? lastText)}`,
        ...(messageId ? [`--message-id=${messageId}`] : []),
        ...(autoStart ? [`--auto-start=${goal ?? DEFAULT_GOAL}`] : []),
      );
    })();

  const actions = {
    status: () => run("status"),
    init: () => runCommand(command, ["turn", "init"], cwd),
    start: ({ goal = DEFAULT_GOAL, ticket }) => run("start", `--goal=${goal}`, ...(ticket ? [`--ticket=${ticket}`] : [])),
    record,
    report: ({ id }) => run("report", "--stdout", ...(id ? [id] : [])),
    auto: async ({ enabled }) => {
      automatic = enabled ?? !automatic;
      return { text: `automatic recording is ${automatic ? "on" : "off"}`, code: 0 };
    },
  };

  return {
    name: "turn",
    description: "Record what was done in this repository as turns of a session, and look at them.",
    parameters: PARAMETERS,
    /** Do one action; gives `{text, code}`, never an exception: what went wrong is text with code 2. */
    async execute({ action, ...args } = {}) {
      const chosen = Object.hasOwn(actions, action) ? actions[action] : null;
      if (!chosen) return { text: `unknown action ${action}; use one of ${Object.keys(actions).join(", ")}`, code: 2 };
      return chosen(args);
    },
    /** Hear of an answer of the model; it is recorded when `auto` is on. Gives null when it was not. */
    async onMessage({ id, text }) {
      lastText = text;
      return automatic ? record({ summary: text, messageId: id, autoInit: true, autoStart: true }) : null;
    },
  };
}

async function hasSession(run) {
  return (await run("current")).code === 0;
}

function runCommand([program, ...first], words, cwd) {
  return new Promise((resolve) => {
    const pieces = [];
    const child = spawn(program, [...first, ...words], { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: TIMEOUT_MS });
    child.stdout.on("data", (data) => pieces.push(data));
    child.stderr.on("data", (data) => pieces.push(data));
    child.on("error", (error) => resolve({ text: `${program} cannot be started: ${error.code}`, code: 2 }));
    child.on("close", (status) =>
      resolve({ text: Buffer.concat(pieces).toString("utf8").trim(), code: status === 0 ? 0 : 2 }),
    );
  });
}
