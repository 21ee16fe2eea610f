// What every driver needs: where the node is, the contracts, and steps that are all tried and all reported.
import { readFileSync } from 'node:fs';
import assert from 'node:assert/strict';

export { assert };
export const { HTTP, WS, NODE_NAME } = process.env;
export const isAnvil = NODE_NAME === 'anvil';
export const artifacts = JSON.parse(readFileSync(process.env.ARTIFACTS, 'utf8'));

// The first of the well-known accounts.
export const keys = [
  '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
  '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d',
  '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a',
];
export const accounts = [
  '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266',
  '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC',
];
export const ether = 10n ** 18n;

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

let done = 0;
const failed = [];

// One step; it is ended when it takes too long. A failure is remembered, and the next steps still run.
export async function step(name, run, limit = 30_000) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not done in ${limit} ms`)), limit)));
  try {
    const value = await Promise.race([run(), late]);
    done += 1;
    return value;
  } catch (error) {
    failed.push(name);
    console.log(`FAILED ${name}: ${error?.stack ?? error}`.slice(0, 4000));
  } finally {
    clearTimeout(timer);
  }
}

// Waits until `probe` gives something true, and gives that.
export async function eventually(what, probe, limit = 15_000) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await sleep(25);
  }
}

// The error of a promise that must fail, with these words in it or in what caused it.
export async function fails(promise, ...words) {
  const error = await Promise.resolve(promise).then(
    (value) => assert.fail(`it must fail, but gave ${String(value)}`),
    (error) => error,
  );
  const seen = new Set();
  let text = '';
  for (let each = error; each && typeof each === 'object' && !seen.has(each); each = each.cause ?? each.error ?? each.innerError) {
    seen.add(each);
    text += `${each.name} ${each.code} ${each.message} ${each.details ?? ''} ${each.metaMessages?.join(' ') ?? ''} ${each.data ?? ''}\n`;
  }
  for (const word of words) assert.ok(text.toLowerCase().includes(String(word).toLowerCase()), `no ${word} in: ${text}`);
  return error;
}

let lastId = 0;

// The plain answer of a method, { result } or { error }.
export async function call(method, ...params) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: ++lastId, method, params });
  const response = await fetch(HTTP, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  return response.json();
}

// The result of a method.
export async function rpc(method, ...params) {
  const { result, error } = await call(method, ...params);
  if (error) throw new Error(`${method}: ${error.code} ${error.message}`);
  return result;
}

export function finish() {
  console.log(`${done} steps done${failed.length ? `, ${failed.length} failed: ${failed.join('; ')}` : ''}`);
  process.exit(failed.length || !done ? 1 : 0);
}
