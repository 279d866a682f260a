/** What an action gives: text for the model, and 0, or 2 when it went wrong. */
export interface ToolAnswer {
  readonly text: string;
  readonly code: 0 | 2;
}

export interface TurnToolOptions {
  /** The command and its first arguments; `$JILOG_BIN`, else `jilog`. */
  command?: readonly string[];
  /** The folder whose repository is meant; that of the process unless given. */
  cwd?: string;
  /** Gives the tool a current session of its own. */
  agent?: string;
  /** Record every answer from the beginning; off unless given. */
  autoRecord?: boolean;
}

export interface TurnToolArguments {
  action: "status" | "init" | "start" | "record" | "report" | "auto";
  goal?: string;
  ticket?: string;
  summary?: string;
  id?: string;
  enabled?: boolean;
  autoInit?: boolean;
  autoStart?: boolean;
}

export interface TurnTool {
  readonly name: "turn";
  readonly description: string;
  /** A JSON schema of the arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
  execute(args: TurnToolArguments): Promise<ToolAnswer>;
  /** Hear of an answer of the model: recorded when `auto` is on, each message once. */
  onMessage(message: { id: string; text: string }): Promise<ToolAnswer | null>;
}

/** Make the tool. */
export function turnTool(options?: TurnToolOptions): TurnTool;

/** Squeeze a text into one line of at most 120 characters. */
export function suggestedSummary(text: string): string;
