// The stock service in our own words: it keeps the listener running until it is
// told to stop, or until the listener ends in a way that nothing can mend.
'use strict';
const { spawn } = require('child_process');
const path = require('path');

let listener = null;
let stopping = false;
let failures = 0;

function start() {
  if (stopping) return;
  const program = path.join(__dirname, 'Runner.Listener');
  listener = spawn(program, ['run', '--startuptype', 'service'], { env: process.env });
  listener.stdout.on('data', (text) => {
    process.stdout.write(text);
    if (text.includes('Listening for Jobs')) failures = 0;
  });
  listener.stderr.on('data', (text) => process.stderr.write(text));
  listener.on('error', (problem) => console.error(`starting the listener: ${problem.message}`));
  listener.on('close', (code) => {
    listener = null;
    if (stopping || code === 0 || code === 1 || code === 5) return;
    if (code === 2 && ++failures >= 10) return;
    setTimeout(start, 5000);
  });
}

function stop() {
  stopping = true;
  if (!listener) process.exit(0);
  listener.kill('SIGINT');
  setTimeout(() => listener && listener.kill('SIGKILL'), 30000).unref();
}

process.on('SIGINT', stop);
process.on('SIGTERM', stop);
console.log('Starting Runner listener with startup type: service');
start();
