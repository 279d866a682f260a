/** jilog for programs: write entries, and find them again. No dependency but Node's own modules. */

export type EntryType = "decision" | "attempt_failed" | "deferred" | "assumption" | "question";

export interface ClientOptions {
  /** Counts before `$JILOG_HOME`, and that before `~/.jilog`. */
  home?: string;
  /** Another socket than the home's. */
  socketPath?: string;
  /** For one call, in milliseconds; 30,000 unless said otherwise. */
  timeoutMs?: number;
  /** Of entries without one of their own; else `$JILOG_SESSION`, else one that the first write makes. */
  session?: string;
  /** The folder that relative paths are meant from; else where the process is at the call. */
  cwd?: string;
  /** Whether to run `command` when no agent can be reached; true unless `socketPath` is given. */
  fallback?: boolean;
  /** The command that stands in for an agent, with its first arguments; `["jilog"]` unless said otherwise. */
  command?: readonly string[];
}

/** An entry to write; docs/decisions.md has the limits. */
export interface NewEntry {
  type: EntryType;
  /** What it is, in one line. */
  title: string;
  /** Why. */
  body?: string;
  tags?: readonly string[];
  files?: readonly string[];
  session?: string;
  /** The same id with the same content changes nothing, so a write may be tried again. */
  id?: string;
  /** RFC 3339; now unless said otherwise. */
  timestamp?: string;
  alternatives?: readonly string[];
  outcome?: string;
  /** Whole ids of entries that this one answers. */
  resolves?: readonly string[];
  /** Whole ids of entries that this one replaces. */
  supersedes?: readonly string[];
  actor?: string;
  /** Never let it leave this host. */
  confidential?: boolean;
  /** Do not mask keys, tokens, e-mail addresses and home folders. */
  keepSecrets?: boolean;
  zone?: string;
}

/** Filters, all of which must hold. Times are `30m`, `7d`, `2026-05-09` or RFC 3339. */
export interface Filters {
  type?: EntryType;
  session?: string;
  /** One tag, or several that must all be there. */
  tag?: string | readonly string[];
  /** A file, or a folder with all below it. */
  file?: string;
  /** From then on. */
  since?: string;
  /** Leaves out what came then or later. */
  until?: string;
  /** Leaves out what another entry resolves. */
  open?: boolean;
  zone?: string;
}

export interface Page {
  limit?: number;
  offset?: number;
}

export interface ContextOptions {
  files?: readonly string[];
  topic?: string;
  /** 10 unless said otherwise. */
  limit?: number;
  /** At most about this many tokens of text. */
  budget?: number;
  zone?: string;
}

export interface ExportOptions extends Filters {
  format?: "markdown" | "json" | "text";
  template?: "pr" | "retro" | "handoff";
  /** Also what is kept on this host alone. */
  confidential?: boolean;
}

export interface FileRef {
  readonly repository: string;
  readonly path: string;
}

export interface Place {
  readonly host: string;
  readonly folder: string;
  readonly repository: string;
}

/** One entry, or an event of another vocabulary told as one; `type` is then its class. */
export interface Entry {
  readonly id: string;
  /** RFC 3339 in UTC. */
  readonly timestamp: string;
  readonly sessionId: string;
  readonly type: string;
  readonly title: string;
  readonly body: string;
  readonly tags: readonly string[];
  /** Paths as people write them. */
  readonly fileRefs: readonly string[];
  readonly files: readonly FileRef[];
  readonly alternatives: readonly string[];
  readonly outcome: string;
  readonly resolves: readonly string[];
  readonly supersedes: readonly string[];
  readonly place: Place | null;
  readonly zone: string;
  /** The host that appended it. */
  readonly source: string;
}

export interface FoundSession {
  readonly kind: "session";
  readonly sessionId: string;
  /** The oldest first. */
  readonly entries: readonly Entry[];
}

export interface FoundEntry {
  readonly kind: "entry";
  readonly entry: Entry;
  /** The event, as `jilog query --json` gives it. */
  readonly event: Readonly<Record<string, unknown>>;
  readonly resolvedBy: readonly string[];
  readonly supersededBy: readonly string[];
}

/**
 * Asks the agent of a home or, where none runs, the command `jilog`. Each call has a connection of its own.
 * Promises are rejected with a {@link JilogSdkError}.
 */
export class Client {
  constructor(options?: ClientOptions);
  readonly home: string;
  readonly socketPath: string;
  /** The session of entries without one of their own; null before the first of them. */
  readonly sessionId: string | null;
  /** Write an entry durably and give its id. */
  write(entry: NewEntry): Promise<string>;
  /** Give entries by what they say, the best matches first; any text will do. At most 20 unless said otherwise. */
  query(text: string, options?: Filters & Page): Promise<Entry[]>;
  /** Give entries, the newest first; at most 50 unless said otherwise, and a limit of 0 gives all. */
  log(options?: Filters & Page): Promise<Entry[]>;
  /** Give, as text for an agent, what concerns files and topic. */
  context(options?: ContextOptions): Promise<string>;
  /** Give the same as entries, the most relevant first. */
  contextEntries(options?: ContextOptions): Promise<Entry[]>;
  /** Give entries as one document, markdown unless said otherwise. */
  export(options?: ExportOptions): Promise<string>;
  /** Give everything that names a file, or anything below a folder, the newest first. */
  blame(path: string, options?: { limit?: number; zone?: string }): Promise<Entry[]>;
  /** Give a session or an entry by its id or a beginning that only it has. */
  show(id: string, options?: { zone?: string }): Promise<FoundSession | FoundEntry>;
  /** Calls about turns. */
  readonly turn: TurnCalls;
}

/** A session of turns, as docs/turns.md describes its JSON; keys that a later version adds are there, too. */
export interface TurnSession {
  readonly id: string;
  readonly goal: string;
  readonly created_at: string;
  readonly ticket: string | null;
  readonly [key: string]: unknown;
}

/** One turn, as docs/turns.md describes its JSON. */
export interface Turn {
  readonly id: string;
  readonly session: string;
  readonly created_at: string;
  readonly summary: string | null;
  readonly verification: readonly string[];
  readonly [key: string]: unknown;
}

export interface NewSession {
  goal: string;
  ticket?: string;
  /** The session that began this one. */
  parent?: string;
  /** The session's id in the agent's own transcripts. */
  transcript?: string;
  /** Each agent with a name has a current session of its own. */
  agent?: string;
  confidential?: boolean;
}

export interface NewTurn {
  summary?: string;
  /** The current session unless named. */
  session?: string;
  model?: string;
  /** Claims. */
  verification?: readonly string[];
  /** What `check` measured. */
  evidence?: readonly Evidence[];
  attachDiff?: boolean;
  /** Record nothing when the working tree is clean. */
  ifDirty?: boolean;
  /** The same message is recorded once. */
  messageId?: string;
  /** The goal of a session to begin when there is none. */
  autoStart?: string;
  agent?: string;
  confidential?: boolean;
}

/** A command that was run, and what was measured: as one of a turn's `checks` in docs/turns.md. */
export interface Evidence {
  readonly command: readonly string[];
  readonly shell: boolean;
  /** As a shell gives it: 124 out of time, 126 and 127 not started, 128 and the signal's number killed. */
  readonly exit_status: number;
  readonly timed_out: boolean;
  readonly duration_seconds: number;
  /** Of standard output and standard error as they came. */
  readonly output_sha256: string;
  readonly output_bytes: number;
  readonly ran_at: string;
}

export interface CheckOptions {
  /** An hour unless said otherwise; then the command is killed with all it has started. */
  timeoutMs?: number;
  /** Gets the output as it comes. */
  onOutput?: (data: Uint8Array) => void;
  /** Kills the command; the promise then fails with the signal's reason. */
  signal?: AbortSignal;
}

export interface TurnFilters {
  /** Of all repositories and hosts. */
  everywhere?: boolean;
  session?: string;
  ticket?: string;
  grep?: string;
  changed?: string;
}

export type TurnRecord = { readonly type: "session_started" | "turn_recorded" | "session_ended" } & Readonly<
  Record<string, unknown>
>;

/** The calls about turns, made in the client's folder. */
export interface TurnCalls {
  /** Begin a session and make it the current one. */
  start(session: NewSession): Promise<TurnSession>;
  /** Record a turn; null when only a changed working tree was to be recorded and it is clean. */
  record(turn?: NewTurn): Promise<Turn | null>;
  /** Run a command in the client's folder and measure it: words without a shell, or one line with. */
  check(words: readonly string[], options?: CheckOptions & { shell?: false }): Promise<Evidence>;
  check(line: string, options: CheckOptions & { shell: true }): Promise<Evidence>;
  /** End a session, the current one unless it is named. */
  end(options?: { summary?: string; session?: string; agent?: string }): Promise<Readonly<Record<string, unknown>>>;
  /** Record into this session from now on; gives its id. */
  use(session: string, options?: { agent?: string }): Promise<string>;
  /** Give the session that is recorded into; null when there is none. */
  current(options?: { agent?: string }): Promise<TurnSession | null>;
  /** Give sessions, turns and ends, the oldest first. */
  log(filters?: TurnFilters): Promise<TurnRecord[]>;
  /** Give a session's story or a turn, as `jilog turn show --json` does. */
  show(id: string): Promise<Readonly<Record<string, unknown>>>;
  /** Follow a ticket, a commit or an id, as `jilog trace --json` does. */
  trace(name: string): Promise<Readonly<Record<string, unknown>>>;
}

/** Give the client behind the module's functions; the environment of its first use counts. */
export function defaultClient(): Client;
export function write(entry: NewEntry): Promise<string>;
export function query(text: string, options?: Filters & Page): Promise<Entry[]>;
export function log(options?: Filters & Page): Promise<Entry[]>;
export function context(options?: ContextOptions): Promise<string>;
export function contextEntries(options?: ContextOptions): Promise<Entry[]>;
export function blame(path: string, options?: { limit?: number; zone?: string }): Promise<Entry[]>;
export function show(id: string, options?: { zone?: string }): Promise<FoundSession | FoundEntry>;
declare function exportDocument(options?: ExportOptions): Promise<string>;
export { exportDocument as export };

/** Anything that a call can end in but its result. */
export class JilogSdkError extends Error {
  /** The next thing to try. */
  readonly hint: string | null;
}
/** The agent cannot be reached, or went away before it answered. */
export class ConnectionFailed extends JilogSdkError {}
/** There is no socket, so no agent runs. */
export class AgentNotRunning extends ConnectionFailed {}
/** There was no whole answer in time. A write may have happened: the same `id` again is safe. */
export class RequestTimeout extends JilogSdkError {}
/** The request was understood and turned down. */
export class Refused extends JilogSdkError {
  /** For programs; docs/socket.md lists them. */
  readonly code: string;
}
/** An argument cannot be meant: a type that is none, an id that nothing has or that is taken. */
export class InvalidArgument extends Refused {}
/** Somebody else holds what this needs; try again. */
export class Busy extends Refused {}
/** Bytes in the ledger are not what their checksums say. */
export class Damaged extends Refused {}
/** The disk refused, or is too full for the agent to take events. */
export class StorageRefused extends Refused {}
