// usage: node compile.mjs FOLDER OUT: compiles the contracts of a folder into OUT, JSON { name: { abi, bytecode, code } }, and beside it into a folder `out` with a
// file a contract, as Foundry writes them.
import { mkdirSync, readdirSync, readFileSync, writeFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import solc from 'solc';

const [folder, out] = process.argv.slice(2);
const sources = {};
for (const file of readdirSync(folder).filter((name) => name.endsWith('.sol')))
  sources[file] = { content: readFileSync(join(folder, file), 'utf8') };
const settings = {
  optimizer: { enabled: true, runs: 200 },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode', 'storageLayout'], '': ['ast'] } },
};
const result = JSON.parse(solc.compile(JSON.stringify({ language: 'Solidity', sources, settings })));
const errors = (result.errors ?? []).filter((error) => error.severity === 'error');
if (errors.length) throw new Error(errors.map((error) => error.formattedMessage).join('\n'));
const artifacts = {};
for (const [file, contracts] of Object.entries(result.contracts))
  for (const [name, { abi, evm, storageLayout }] of Object.entries(contracts)) {
    artifacts[name] = { abi, bytecode: `0x${evm.bytecode.object}`, code: `0x${evm.deployedBytecode.object}` };
    const folder = join(dirname(out), 'out', file);
    mkdirSync(folder, { recursive: true });
    const { object, immutableReferences } = evm.deployedBytecode;
    const artifact = { abi, deployedBytecode: { object: `0x${object}`, immutableReferences }, storageLayout, ast: result.sources[file].ast };
    writeFileSync(join(folder, `${name}.json`), JSON.stringify(artifact));
  }
writeFileSync(`${out}.part`, JSON.stringify(artifacts));
renameSync(`${out}.part`, out);
