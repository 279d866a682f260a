// Run a table of calls, given as JSON on standard input, and print what each call came to.

import { Client, JilogSdkError } from "../index.js";

const METHODS = {
  write: (args) => client.write(args),
  log: (args) => client.log(args),
  query: ({ text: words, ...args }) => client.query(words, args),
  context: (args) => client.context(args),
  context_entries: (args) => client.contextEntries(args),
  export: (args) => client.export(args),
  blame: ({ path, ...args }) => client.blame(path, args),
  show: ({ id, ...args }) => client.show(id, args),
};

const { options, entries, cases } = JSON.parse(await text(process.stdin));
const client = new Client(options);
for (const entry of entries) await client.write(camelKeys(entry));
const outcomes = [];
for (const { call, args } of cases) outcomes.push(await outcomeOf(call, camelKeys(args)));
process.stdout.write(JSON.stringify(outcomes));

async function outcomeOf(call, args) {
  try {
    return { result: snakeKeys(await METHODS[call](args)) };
  } catch (error) {
    if (!(error instanceof JilogSdkError)) throw error;
    return { error: error.name, message: error.message };
  }
}

function camelKeys(fields) {
  const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [camel(name), value]));
}

function snakeKeys(value) {
  if (Array.isArray(value)) return value.map(snakeKeys);
  if (value === null || typeof value !== "object") return value;
  const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [snake(name), snakeKeys(item)]));
}

async function text(stream) {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}
