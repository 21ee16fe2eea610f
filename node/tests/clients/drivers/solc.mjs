#!/usr/bin/env node
// The compiler of the npm package `solc`, behind the command line that forge expects of a native one.
import { readFileSync } from 'node:fs';
import solc from 'solc';

// The package ends the process on any uncaught error, with the whole compiler printed.
process.removeAllListeners('uncaughtException');
if (process.argv.includes('--version')) {
  const version = solc.version().replace('.Emscripten.clang', '.Linux.g++');
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${version}`);
} else {
  // With --standard-json every source comes inside the input.
  process.stdout.write(solc.compile(readFileSync(0, 'utf8')));
}
