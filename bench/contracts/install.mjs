// Lays out the contracts that the benchmark deploys: `node install.mjs DIR`.
//
// Reads packages.json beside this file, fetches each pinned package with `npm pack` into DIR/packages, installs the
// compiler from npm into DIR/compilers, compiles sources/, and writes one JSON file {name, origin, abi, bytecode,
// linkReferences} per contract to DIR/artifacts. What is already there is kept, so a second run costs nothing. Needs
// node 18 or later and npm; no script of any package is run.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(process.argv[2] ?? path.join(here, '..', '..', 'target', 'bench-contracts'));
const manifest = JSON.parse(fs.readFileSync(path.join(here, 'packages.json'), 'utf8'));
let worked = false;
const say = text => { worked = true; process.stderr.write(`contracts: ${text}\n`); };
const npm = (args, cwd) => execFileSync('npm', args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
const folderOf = spec => path.join(root, 'packages', spec.replaceAll('/', '+'));

for (const folder of ['packages', 'compilers', 'artifacts']) fs.mkdirSync(path.join(root, folder), { recursive: true });

for (const spec of manifest.packages) {
  if (fs.existsSync(folderOf(spec))) continue;
  say(`fetching ${spec}`);
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-contracts-'));
  try {
    npm(['pack', '--silent', spec], scratch);
    const archive = fs.readdirSync(scratch).find(name => name.endsWith('.tgz'));
    const unpacked = path.join(root, 'packages', `.partial-${process.pid}`);
    fs.rmSync(unpacked, { recursive: true, force: true });
    fs.mkdirSync(unpacked);
    execFileSync('tar', ['xzf', path.join(scratch, archive), '-C', unpacked, '--strip-components=1']);
    fs.renameSync(unpacked, folderOf(spec));
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

const compilers = path.join(root, 'compilers');
const missing = Object.keys(manifest.compilers).filter(alias => !fs.existsSync(path.join(compilers, 'node_modules', alias)));
if (missing.length > 0) {
  if (!fs.existsSync(path.join(compilers, 'package.json'))) fs.writeFileSync(path.join(compilers, 'package.json'), '{"private":true}\n');
  const wanted = Object.entries(manifest.compilers).map(([alias, version]) => `${alias}@npm:solc@${version}`);
  say(`installing ${wanted.join(' ')}`);
  npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', '--silent', ...wanted], compilers);
}

function write(name, origin, abi, bytecode, linkReferences) {
  const hex = bytecode.startsWith('0x') ? bytecode : `0x${bytecode}`;
  const body = JSON.stringify({ name, origin, abi, bytecode: hex, linkReferences: linkReferences ?? {} });
  const file = path.join(root, 'artifacts', `${name}.json`);
  fs.writeFileSync(`${file}.partial`, body);
  fs.renameSync(`${file}.partial`, file);
}

for (const [name, [spec, file]] of Object.entries(manifest.published)) {
  if (fs.existsSync(path.join(root, 'artifacts', `${name}.json`))) continue;
  const artifact = JSON.parse(fs.readFileSync(path.join(folderOf(spec), file), 'utf8'));
  const bytecode = artifact.bytecode?.object ?? artifact.bytecode ?? artifact.evm?.bytecode?.object;
  if (typeof bytecode !== 'string') throw new Error(`${spec}/${file} has no bytecode`);
  write(name, `${spec}/${file}`, artifact.abi, bytecode, artifact.linkReferences ?? artifact.bytecode?.linkReferences);
  say(`${name} as published in ${spec}`);
}

const require = createRequire(path.join(compilers, 'index.js'));
const solidity = name => {
  if (name.startsWith('@')) {
    const spec = manifest.packages.find(candidate => name.startsWith(`${candidate.slice(0, candidate.lastIndexOf('@'))}/`));
    if (!spec) return null;
    const file = path.join(folderOf(spec), name.slice(spec.lastIndexOf('@') + 1));
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null;
  }
  const file = path.join(here, 'sources', name);
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : null;
};
for (const unit of manifest.compile) {
  const source = path.join(here, 'sources', unit.source);
  const fresh = unit.contracts.every(name => {
    const artifact = path.join(root, 'artifacts', `${name}.json`);
    return fs.existsSync(artifact) && fs.statSync(artifact).mtimeMs >= fs.statSync(source).mtimeMs;
  });
  if (fresh) continue;
  say(`compiling ${unit.source} with solc ${manifest.compilers[unit.compiler]}`);
  const input = {
    language: 'Solidity',
    sources: { [unit.source]: { content: fs.readFileSync(source, 'utf8') } },
    settings: {
      optimizer: { enabled: true, runs: 200 },
      evmVersion: 'cancun',
      outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.bytecode.linkReferences'] } },
    },
  };
  const find = name => { const contents = solidity(name); return contents == null ? { error: `no such source: ${name}` } : { contents }; };
  const output = JSON.parse(require(unit.compiler).compile(JSON.stringify(input), { import: find }));
  const errors = (output.errors ?? []).filter(entry => entry.severity === 'error');
  if (errors.length > 0) throw new Error(errors.map(entry => entry.formattedMessage).join('\n'));
  for (const name of unit.contracts) {
    const contract = output.contracts[unit.source][name];
    write(name, `sources/${unit.source}, solc ${manifest.compilers[unit.compiler]}`, contract.abi, contract.evm.bytecode.object, contract.evm.bytecode.linkReferences);
  }
}
if (worked) say(`ready in ${path.join(root, 'artifacts')}`);
