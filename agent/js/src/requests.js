// What each call asks for: from arguments to a method of the socket and its parameters. Arguments that cannot be
// meant are refused here, before anything is sent.

import { InvalidArgument } from "./errors.js";

export const TYPES = ["decision", "attempt_failed", "deferred", "assumption", "question"];

/** A limit that nothing reaches: 0 asks the socket for its default, and callers mean everything by it. */
export const ALL = 1_000_000_000;

export function write(entry, { session, id, fresh, cwd }) {
  checkType(entry.type);
  if (!checkText("title", entry.title).trim()) {
    throw new InvalidArgument("title must not be empty", { hint: "say in one line what was decided or tried" });
  }
  const fields = {
    type: entry.type,
    title: entry.title,
    session_id: session,
    id,
    timestamp: entry.timestamp,
    body: checkText("body", entry.body ?? ""),
    tags: texts("tags", entry.tags),
    file_refs: texts("files", entry.files),
    alternatives: texts("alternatives", entry.alternatives),
    outcome: checkText("outcome", entry.outcome ?? ""),
    resolves: texts("resolves", entry.resolves),
    supersedes: texts("supersedes", entry.supersedes),
  };
  return request("write", {
    entry: fields,
    actor: entry.actor,
    confidential: entry.confidential === true,
    keep_secrets: entry.keepSecrets === true,
    fresh,
    zone: entry.zone,
    cwd,
  });
}

export function query(text, { limit = 20, offset = 0, ...filters }, cwd) {
  if (!checkText("text", text).trim()) {
    throw new InvalidArgument("text must not be empty", { hint: "say what to look for, or use log" });
  }
  checkNumber("limit", limit, 1);
  checkNumber("offset", offset, 0);
  return request("query", { ...filterParams(filters, "start"), text, limit, offset, cwd });
}

export function log({ limit = 50, offset = 0, ...filters }, cwd) {
  checkNumber("limit", limit, 0);
  checkNumber("offset", offset, 0);
  return request("query", { ...filterParams(filters, "start"), limit: limit || ALL, offset, cwd });
}

export function context({ files, topic = "", limit = 10, budget, zone }, cwd, { text }) {
  const paths = texts("files", files);
  if (!paths.length && !checkText("topic", topic).trim()) {
    throw new InvalidArgument("at least one of files or topic is required");
  }
  checkNumber("limit", limit, 1);
  if (budget != null) checkNumber("budget", budget, 1);
  return request("context", { files: paths, topic, limit, budget_tokens: budget, text, zone, cwd });
}

export function exportDocument({ format, template, confidential = false, ...filters }, cwd) {
  return request("export", { ...filterParams(filters, "since"), format, template, confidential, cwd });
}

export function blame(path, { zone }, cwd) {
  if (!checkText("path", path)) {
    throw new InvalidArgument("path must not be empty", { hint: "name a file or a folder" });
  }
  return request("blame", { file_path: path, zone, cwd });
}

export function show(id, { zone }) {
  if (!checkText("id", id)) throw new InvalidArgument("id must not be empty", { hint: "see: jilog log" });
  return request("show", { id, zone });
}

/** Give the request of a second try, which looks whether the first one did it. */
export function again({ method, params: { fresh: _, ...params }, key }) {
  return { method, params, key };
}

/** Ask for something about turns; the `key` makes a second try of a write a no-op. */
export function turn(method, params, key) {
  return { ...request(method, params), key };
}

export { checkText, texts };

/** Refuse what is no whole number from `least` on. */
export function checkNumber(name, value, least) {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new InvalidArgument(`${name} is ${value}`, { hint: `use ${least} or more` });
  }
}

/** Filters all combine; the socket's `query` and `export` name the beginning differently. */
function filterParams({ type, session, tag, file, since, until, open = false, zone }, sinceKey) {
  if (type != null) checkType(type);
  const tags = typeof tag === "string" ? [tag] : texts("tag", tag);
  return { type, session_id: session, tags, file_path: file, [sinceKey]: since, before: until, open, zone };
}

function checkType(type) {
  if (!TYPES.includes(type)) {
    throw new InvalidArgument(`invalid type "${String(type).slice(0, 80)}": must be one of ${TYPES.join(", ")}`);
  }
}

function checkText(name, value) {
  if (typeof value !== "string") throw new InvalidArgument(`${name} is not a text`);
  return value;
}

function texts(name, values) {
  if (values == null) return [];
  if (!Array.isArray(values)) throw new InvalidArgument(`${name} has to be a list of texts`);
  return values.map((value) => checkText(name, value)).filter((value) => value !== "");
}

function request(method, params) {
  return { method, params: said(params) };
}

/** Leave out what was not said, and make all text valid. */
function said(value) {
  if (typeof value === "string") return validText(value);
  if (Array.isArray(value)) return value.map(said);
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).filter(([, item]) => item != null);
  return Object.fromEntries(kept.map(([key, item]) => [key, said(item)]));
}

/** Replace lone surrogates, which JSON readers refuse, by a visible escape. */
function validText(text) {
  return text.replace(/\p{Surrogate}/gu, (character) => {
    const code = character.charCodeAt(0);
    return code >= 0xdc80 && code <= 0xdcff ? `\\x${(code - 0xdc00).toString(16)}` : `\\u${code.toString(16)}`;
  });
}
