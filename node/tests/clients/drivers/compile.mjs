// usage: node compile.mjs FOLDER OUT: compiles the contracts of a folder into OUT, JSON { name: { abi, bytecode, code } }.
import { readdirSync, readFileSync, writeFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import solc from 'solc';

const [folder, out] = process.argv.slice(2);
const sources = {};
for (const file of readdirSync(folder).filter((name) => name.endsWith('.sol')))
  sources[file] = { content: readFileSync(join(folder, file), 'utf8') };
const settings = {
  optimizer: { enabled: true, runs: 200 },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
};
const result = JSON.parse(solc.compile(JSON.stringify({ language: 'Solidity', sources, settings })));
const errors = (result.errors ?? []).filter((error) => error.severity === 'error');
if (errors.length) throw new Error(errors.map((error) => error.formattedMessage).join('\n'));
const artifacts = {};
for (const contracts of Object.values(result.contracts))
  for (const [name, { abi, evm }] of Object.entries(contracts))
    artifacts[name] = { abi, bytecode: `0x${evm.bytecode.object}`, code: `0x${evm.deployedBytecode.object}` };
writeFileSync(`${out}.part`, JSON.stringify(artifacts));
renameSync(`${out}.part`, out);
