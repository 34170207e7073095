// Measures how well command sequences tell a user from somebody else at the user's account, on files of the shape
// of the Schonlau data: `user⇥command` lines to train, the same to test, and for each user a string with one digit
// for each block of 100 test commands (1: somebody else typed it). Thresholds come from the training data alone.
// Labels are read only to count, and with --feedback to learn a block that raised an alarm but was the user's own.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { calibrate, threshold, unlikeness, WARM_UP } from '../src/behaviour/command-sequence.ts';
import { CommandStatistics, PROFILE_PAIRS } from '../src/behaviour/command-statistics.ts';

const BLOCK = 100;
const QUANTILE = 0.95;

const usage = 'usage: bench:masquerade --train FILE --test FILE --labels FILE [--feedback] [--json]';
const help = `${usage}

  --train FILE   the users' own commands, in order: a line for each, user, tab, command
  --test FILE    the same, ${BLOCK} commands to a block, some blocks typed by somebody else
  --labels FILE  a line for each user: user, tab, one digit for each block (1: somebody else typed it)
  --feedback     learn a block that raised an alarm but was the user's own, as after a proof of identity
  --json         nothing but the last line: {"hits","falseAlarms","cost"} in percent; cost = 6 · false alarms + misses

Files may be packed with xz (FILE.xz). Ends with 2 when something is wrong with them.`;

function fail(message: string): never {
  console.error(`${message}\n${usage}`);
  process.exit(2);
}

function read(file: string | undefined, option: string): string[][] {
  if (file === undefined) fail(`--${option} is missing`);
  const rows = unpacked(file)
    .split(/\r?\n/)
    .flatMap((line, index) => {
      if (line === '') return [];
      const fields = line.split('\t');
      if (fields.length !== 2 || fields.includes(''))
        fail(`${file}:${index + 1}: expected two fields with a tab between them`);
      return [fields];
    });
  if (rows.length === 0) fail(`${file} is empty`);
  return rows;
}

function unpacked(file: string): string {
  try {
    if (!file.endsWith('.xz')) return readFileSync(file, 'utf8');
    return execFileSync('xz', ['-dc', '--', file], {
      encoding: 'utf8',
      maxBuffer: 1 << 30,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const missing =
      code === 'ENOENT' && file.endsWith('.xz') ? ' (xz must be installed, and the file there)' : '';
    return fail(`${file} can't be read: ${firstLine(error)}${missing}`);
  }
}

function firstLine(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  const text = said !== '' ? said : error instanceof Error ? error.message : String(error);
  return text.split('\n')[0] ?? '';
}

function byUser(rows: readonly string[][]): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const [user = '', command = ''] of rows) {
    const commands = users.get(user);
    if (commands === undefined) users.set(user, [command]);
    else commands.push(command);
  }
  return users;
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        train: { type: 'string' },
        test: { type: 'string' },
        labels: { type: 'string' },
        feedback: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    return fail(firstLine(error));
  }
}

const values = readOptions();
if (values.help) {
  console.log(help);
  process.exit(0);
}

const training = byUser(read(values.train, 'train'));
const tests = byUser(read(values.test, 'test'));
const labels = new Map<string, string>();
for (const [user = '', digits = ''] of read(values.labels, 'labels')) {
  if (!/^[01]+$/.test(digits)) fail(`${values.labels}: the labels of ${user} are not all 0 or 1`);
  if (labels.has(user)) fail(`${values.labels}: ${user} has labels twice`);
  labels.set(user, digits);
}

const population = new CommandStatistics();
for (const commands of training.values()) population.learn(commands);

let hits = 0;
let misses = 0;
let falseAlarms = 0;
let quiet = 0;
let scored = 0;
const started = process.hrtime.bigint();
for (const [user, commands] of tests) {
  const history = training.get(user);
  const digits = labels.get(user);
  if (history === undefined) fail(`user ${user} is in the test file but not in the training file`);
  if (digits === undefined) fail(`user ${user} has no labels`);
  if (digits.length * BLOCK !== commands.length) {
    fail(`user ${user}: ${commands.length} test commands, but labels for ${digits.length * BLOCK}`);
  }
  if (history.length < WARM_UP + BLOCK)
    fail(
      `user ${user} has ${history.length} commands to train on: below ${WARM_UP + BLOCK} there is no threshold`,
    );
  const whole = new CommandStatistics();
  whole.learn(history);
  const others = population.without(whole);
  const limit = threshold(calibrate(history, others), BLOCK, QUANTILE);
  const profile = new CommandStatistics(PROFILE_PAIRS);
  profile.learn(history);
  for (let block = 0; block < digits.length; block += 1) {
    const run = commands.slice(block * BLOCK, (block + 1) * BLOCK);
    const alarm = unlikeness(run, profile, others) > limit;
    scored += run.length;
    const foreign = digits[block] === '1';
    if (foreign && alarm) hits += 1;
    else if (foreign) misses += 1;
    else if (alarm) falseAlarms += 1;
    else quiet += 1;
    if (!alarm || (values.feedback && !foreign)) profile.learn(run);
  }
}
const seconds = Number(process.hrtime.bigint() - started) / 1e9;

const percent = (part: number, all: number): number => (all === 0 ? 0 : (100 * part) / all);
const round = (value: number): number => Math.round(value * 100) / 100;
const hitRate = percent(hits, hits + misses);
const falseRate = percent(falseAlarms, falseAlarms + quiet);
const result = {
  hits: round(hitRate),
  falseAlarms: round(falseRate),
  cost: round(6 * falseRate + 100 - hitRate),
};
if (!values.json) {
  console.log(`${tests.size} users, ${hits + misses} foreign blocks, ${falseAlarms + quiet} own blocks`);
  console.log(
    `${values.feedback ? 'with feedback' : 'self-update'}; threshold: quantile ${QUANTILE} of own windows`,
  );
  console.log(`${round((seconds * 1e6) / scored)} µs a test command, training of thresholds included`);
}
console.log(JSON.stringify(result));
