// A page in headless Chromium uses the node from another origin. usage: node browser.mjs CHROMIUM
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';
import { HTTP, WS, accounts, assert, finish, isAnvil, step } from './check.mjs';

const types = { html: 'text/html', mjs: 'text/javascript', js: 'text/javascript', json: 'application/json' };
const files = {
  '/': 'dapp/index.html',
  '/dapp.mjs': 'dapp/dapp.mjs',
  '/ethers.js': 'node_modules/ethers/dist/ethers.min.js',
  '/artifacts.json': process.env.ARTIFACTS,
};
const server = createServer((request, response) => {
  const file = files[request.url];
  if (!file) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': types[file.split('.').pop()] }).end(readFileSync(file));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
// Another port is another origin.
const origin = `http://127.0.0.1:${server.address().port}`;

const browser = await chromium.launch({
  executablePath: process.argv[2],
  // Nothing on its own account: it would look for its maker's servers.
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage();
const problems = [];
page.on('pageerror', (error) => problems.push(String(error)));
page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
const exchanges = [];
page.on('response', async (response) => {
  if (!response.url().startsWith(HTTP)) return;
  exchanges.push({ method: response.request().method(), status: response.status(), headers: await response.allHeaders() });
});
await page.addInitScript((node) => (window.node = node), { http: HTTP, ws: WS });
await page.addInitScript({ path: 'dapp/provider.js' });

const text = (id) => page.locator(`#${id}`).textContent();
async function press(name) {
  await page.click(`#${name}`);
  await page.waitForSelector(`body[data-done=${name}]`, { timeout: 20_000 });
}

await step('the page opens and connects', async () => {
  await page.goto(origin);
  await page.waitForSelector('body[data-done=load]');
  await press('connect');
  assert.equal(await text('error'), '');
  assert.equal(await text('account'), accounts[0]);
  assert.equal(await text('balance'), '10000.0');
});

await step('it deploys and sends', async () => {
  await press('deploy');
  assert.equal(await text('error'), '');
  assert.equal(await text('coins'), '1000.0');
  await press('send');
  assert.equal(await text('error'), '');
  assert.equal(await text('coins'), '999.999999999999999995');
});

await step('it is told what happens', async () => {
  await page.waitForFunction(() => document.querySelectorAll('#events li').length === 1 && Number(document.getElementById('heads').textContent) >= 2);
  assert.equal(await page.locator('#events li').textContent(), '0x00000000000000000000000000000000000000AA got 5');
});

await step('it is told why something fails', async () => {
  await press('fail');
  assert.equal(await text('error'), `TooLittle: ${10n ** 30n}`);
});

await step('the rules for other origins hold', async () => {
  assert.deepEqual(problems, []);
  const posts = exchanges.filter(({ method }) => method === 'POST');
  assert.ok(posts.length >= 8 && posts.every(({ status, headers }) => status === 200 && headers['access-control-allow-origin'] === '*'));
  // A page may not read a server that does not allow it: that this browser minds the rule.
  const closed = createServer((_, response) => response.end('{}'));
  await new Promise((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const forbidden = await page.evaluate((url) => fetch(url).then(() => false, () => true), `http://127.0.0.1:${closed.address().port}`);
  assert.ok(forbidden);
  closed.close();
});

await step('pages of every kind may ask', async () => {
  const ask = (init) => page.evaluate(([url, init]) => fetch(url, init).then((response) => response.json()), [HTTP, init]);
  const body = JSON.stringify([1, 'two'].map((id) => ({ jsonrpc: '2.0', id, method: 'eth_chainId' })));
  const batch = await ask({ method: 'POST', headers: { 'content-type': 'application/json' }, body });
  assert.deepEqual(batch.map(({ id, result }) => [id, result]), [[1, '0x7a69'], ['two', '0x7a69']]);
  // Headers of a library's own go through the preflight.
  const headers = { 'content-type': 'application/json', 'x-requested-with': 'dapp', authorization: 'Bearer none' };
  if (!isAnvil) assert.equal((await ask({ method: 'POST', headers, body }))[0].result, '0x7a69');
  // A page from a file has the origin "null".
  await page.setContent('<iframe sandbox="allow-scripts"></iframe>');
  const answered = await page.frames()[1].evaluate((url) => fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}' }).then((response) => response.json()), HTTP);
  assert.equal(answered.result, '0x7a69');
});

await browser.close();
server.close();
finish();
