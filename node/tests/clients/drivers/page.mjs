// A page that the program wrote, in headless Chromium. usage: node page.mjs CHROMIUM inspect|replay PAGE JSON
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { assert, finish, step } from './check.mjs';

const [, , executablePath, kind, file, json] = process.argv;
const report = JSON.parse(readFileSync(json, 'utf8'));
const browser = await chromium.launch({
  executablePath,
  // Nothing on its own account: it would look for its maker's servers.
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
const problems = [], requests = [];
page.on('pageerror', (error) => problems.push(String(error)));
page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
page.on('request', (request) => requests.push(request.url()));
const url = pathToFileURL(file).href;
await page.goto(url);

const text = (selector) => page.locator(selector).textContent();
const rows = (table) => page.locator(`#${table} tbody tr`).count();
// Pixels of a canvas that have one of the page's colours, within these bounds in its own pixels.
const painted = (id, name, bounds = {}) =>
  page.evaluate(([id, name, { top = 0, bottom = 1e9 }]) => {
    const canvas = document.getElementById(id), hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const wanted = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      const y = Math.floor(at / 4 / canvas.width);
      if (y >= top && y < bottom && wanted.every((value, index) => Math.abs(data[at + index] - value) < 3)) count++;
    }
    return count;
  }, [id, name, bounds]);
const move = async (id, x, y) => {
  await page.locator(`#${id}`).scrollIntoViewIfNeeded();
  const box = await page.locator(`#${id}`).boundingBox();
  await page.mouse.move(box.x + x, box.y + y);
  return { x: box.x + x, y: box.y + y };
};
const tip = () => page.evaluate(() => (getComputedStyle(document.getElementById('tip')).display === 'none' ? null : document.getElementById('tip').textContent));
// Where the page draws an execution, and a transaction of the graph.
const spanAt = (index) => page.evaluate((index) => {
  const span = lanes.rows.flat()[index];
  return { transaction: span[1], x: lanes.x((span[2] + span[3]) / 2), y: Lanes.TOP + (span[0] + 0.5) * lanes.lane, shown: (span[3] - span[2]) * lanes.scale(), middle: (span[2] + span[3]) / 2 };
}, index);
const boxOf = (index) => page.evaluate((index) => { const box = boxes.get(index); return { x: left(box) + wide(box) / 2, y: topOf(box) + high() / 2 }; }, index);

await step('the page is small, and fetches nothing', async () => {
  const elements = await page.evaluate(() => document.querySelectorAll('*').length);
  assert.ok(elements < 6000, `${elements} elements`);
  assert.deepEqual(requests, [url]);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'nothing sticks out');
});

const spans = kind === 'inspect' ? report.engine.spans.length : null;
await step('the lanes are drawn', async () => {
  const label = await page.locator('#lanes').getAttribute('aria-label');
  assert.match(label, /^Timeline: \d+ executions by 3 worker\(s\) in [\d.]+ ms$/);
  if (spans != null) assert.equal(+label.match(/\d+/)[0], spans);
  const rows = await page.evaluate(() => lanes.rows.map((row, worker) => ({ first: row[0] && (row[0][2] + row[0][3]) / 2, top: Lanes.TOP + worker * lanes.lane, bottom: Lanes.TOP + (worker + 1) * lanes.lane })));
  assert.equal(rows.length, 3);
  for (const { first, ...bounds } of rows.filter(({ first }) => first != null)) {
    await page.evaluate((first) => { $('zoom').value = 80; lanes.draw(first); }, first);
    let count = 0;
    for (const colour of ['--ahead', '--ordered', '--native', '--retry']) count += await painted('lanes', colour, bounds);
    assert.ok(count > 0, `the first execution of a worker, from ${bounds.top}`);
  }
  await page.evaluate(() => { $('zoom').value = 0; lanes.draw(); });
});

await step('executions can be zoomed into, and pointed at', async () => {
  const before = await spanAt(1000);
  await page.evaluate((middle) => { $('zoom').value = 70; lanes.draw(middle); }, before.middle);
  const after = await spanAt(1000);
  assert.ok(after.shown > 100 * before.shown, `${before.shown} to ${after.shown} pixels`);
  await move('lanes', after.x, after.y);
  assert.match(await tip(), new RegExp(`^transaction ${after.transaction}\\b`));
  // The slider keeps the middle in the middle.
  await page.evaluate(() => { $('zoom').value = 60; $('zoom').dispatchEvent(new Event('input')); });
  const slid = await spanAt(1000);
  assert.ok(Math.abs(slid.x - after.x) < 40, `${after.x} to ${slid.x}`);
  // Dragging moves.
  const from = await move('lanes', 600, slid.y);
  await page.mouse.down();
  await page.mouse.move(from.x + 50, from.y);
  await page.mouse.up();
  assert.ok(Math.abs((await spanAt(1000)).x - slid.x - 50) < 2);
});

if (kind === 'inspect') {
  const { fields, critical_path: path, transactions, edges } = report;
  const dot = (hex) => hex.replace(/0x[0-9a-fA-F]{13,}/g, (hex) => hex.slice(0, 6) + '…' + hex.slice(-4));

  await step('the hot slots are listed', async () => {
    assert.equal(await rows('fields'), Math.min(200, fields.length));
    const first = await text('#fields tbody tr:first-child');
    for (const part of [fields[0].name, String(fields[0].waiting), fields[0].functions[0].name]) assert.ok(first.includes(dot(part)), `${part} in ${first}`);
    await page.fill('#filter', `mint ${fields[0].address.slice(0, 10)}`);
    assert.equal(await rows('fields'), 1);
    assert.equal(await text('#found'), `1 of ${fields.length}`);
    await page.fill('#filter', 'no such field');
    assert.equal(await text('#fields tbody'), 'none');
    await page.fill('#filter', '');
    assert.equal(await rows('fields'), Math.min(200, fields.length));
  });

  await step('the graph is drawn', async () => {
    assert.ok((await painted('graph', '--retry')) > 500, 'the longest chain');
    assert.ok((await painted('graph', '--ahead')) > 500, 'the others');
    assert.equal(await painted('graph', '--native'), 0, 'nothing is picked');
    assert.ok((await text('#graph-text')).includes('have nothing to do with others'));
    assert.equal(await rows('chain'), 201, 'the first 200 of the longest chain, and how many more');
    assert.match(await text('#chain tbody tr:last-child'), new RegExp(`and ${path.transactions.length - 200} more`));
  });

  await step('a slot is picked', async () => {
    await page.locator('#fields tbody tr').nth(1).click();
    assert.ok((await painted('graph', '--native')) > 200, 'who waits for it');
    await page.locator('#fields tbody tr').nth(1).press('Enter');
    assert.equal(await painted('graph', '--native'), 0);
  });

  await step('a transaction is found, listed and pointed at', async () => {
    const second = path.transactions[1];
    for (const name of [String(second), transactions[second].hash.slice(0, 12)]) {
      await page.fill('#go', name);
      assert.match(await text('#chosen'), new RegExp(`^Transaction ${second}: .*${transactions[second].hash}`));
      const links = edges.filter((edge) => edge.from === second || edge.to === second).length;
      assert.equal(await rows('links'), links);
      assert.match(await text('#links tbody tr:first-child'), new RegExp(`^waits for${path.transactions[0]}`));
    }
    const at = await boxOf(second);
    await move('graph', at.x, at.y);
    assert.match(await tip(), new RegExp(`^transaction ${second}: [^]*\nwaits for ${path.transactions[0]}: `));
    const third = await boxOf(path.transactions[2]);
    const point = await move('graph', third.x, third.y);
    await page.mouse.click(point.x, point.y);
    assert.match(await text('#chosen'), new RegExp(`^Transaction ${path.transactions[2]}: `));
    const apart = transactions.findIndex((_, index) => !edges.some((edge) => edge.from === index || edge.to === index));
    await page.fill('#go', String(apart));
    assert.match(await text('#chosen'), /It has nothing to do with others\.$/);
    await page.fill('#go', '');
    assert.equal(await text('#chosen'), '');
  });

  await step('the wheel belongs to the page, with Ctrl to the graph', async () => {
    await page.click('#fit');
    const scale = () => page.evaluate(() => view.scale);
    const fitted = await scale();
    await move('graph', 300, 200);
    const top = await page.evaluate(() => scrollY);
    await page.mouse.wheel(0, -120);
    await page.waitForFunction((top) => scrollY !== top, top);
    assert.equal(await scale(), fitted);
    await move('graph', 300, 200);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -300);
    await page.keyboard.up('Control');
    await page.waitForFunction((fitted) => view.scale > fitted * 1.3, fitted);
    await page.click('#fit');
    assert.equal(await scale(), fitted);
    await page.click('#nearer');
    assert.equal(await scale(), fitted * 2);
  });
} else {
  await step('the block is told', async () => {
    assert.match(await text('#verdict'), /^1 block\(s\), all results equal$/);
    assert.equal(await page.locator('.column').count(), 1);
    assert.ok((await rows('hot')) > 0);
  });
}

await step('it looks right on a small and on a dark screen', async () => {
  await page.setViewportSize({ width: 420, height: 800 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.waitForFunction(() => $('lanes').width <= 420 * devicePixelRatio);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'nothing sticks out');
  const { middle } = await spanAt(1000);
  await page.evaluate((middle) => { $('zoom').value = 70; lanes.draw(middle); }, middle);
  let count = 0;
  for (const colour of ['--ahead', '--ordered', '--native', '--retry']) count += await painted('lanes', colour);
  assert.ok(count > 0);
});

await step('no script failed', async () => assert.deepEqual(problems, []));
await browser.close();
finish();
