// Where the agent's socket is, and whether its folder can be trusted (docs/socket.md).

import { createHash } from "node:crypto";
import { lstatSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

import { AgentNotRunning, ConnectionFailed } from "./errors.js";

/** `sun_path` has room for 104 bytes on macOS and 108 on Linux, one of them the final zero. */
const PATH_BYTES_MAX = 103;

/** Find the home: the argument counts before `$JILOG_HOME`, and that before `~/.jilog`. */
export function findHome(home, environment) {
  const text = home || environment.JILOG_HOME || "~/.jilog";
  if (text === "~" || text.startsWith("~/")) return join(homedir(), text.slice(1));
  return resolve(text);
}

/** Give the socket's path: in the home, or in a short folder of this user's when that path is too long. */
export function socketPathOf(home) {
  const root = realPath(home);
  const path = join(root, "agent.sock");
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return path;
  const name = createHash("sha256").update(root).digest("hex").slice(0, 16);
  return `/tmp/jilog-${process.getuid()}-${name}/agent.sock`;
}

/** Follow links as far as the path exists. */
function realPath(path) {
  try {
    return realpathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}

/**
 * Look at the socket before connecting.
 * @throws {AgentNotRunning} there is none
 * @throws {ConnectionFailed} it is in a folder that others could have made
 */
export function checkSocket(path, { given }) {
  if (!found(path)) {
    throw new AgentNotRunning(`no agent runs: ${path} is not there`, { hint: "start it: jilog agent start" });
  }
  if (given) return;
  const folder = found(dirname(path));
  if (!folder?.isDirectory() || folder.uid !== process.getuid() || folder.mode & 0o077) {
    throw new ConnectionFailed(`${dirname(path)} is not a folder of mode 0700 of this user`, {
      hint: `look at it, then: chmod 700 ${dirname(path)}`,
    });
  }
}

function found(path) {
  return lstatSync(path, { throwIfNoEntry: false });
}
