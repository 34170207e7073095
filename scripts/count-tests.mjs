// Sums vitest's JSON reports and the plain checks into the closing line, alone on a line: `N passed, N failed`, and
// `, N skipped` when there are any. Arguments: report files, and `passed` or `failed` for each plain check.
// Exits with 1 when anything failed, or when nothing passed.
import { readFileSync } from 'node:fs';

const total = { passed: 0, failed: 0, skipped: 0 };

for (const argument of process.argv.slice(2)) {
  if (argument === 'passed' || argument === 'failed') {
    total[argument] += 1;
    continue;
  }
  let report;
  try {
    report = JSON.parse(readFileSync(argument, 'utf8'));
  } catch {
    console.log(`No report in ${argument}: the run did not end by itself.`);
    total.failed += 1;
    continue;
  }
  let failedHere = 0;
  for (const file of report.testResults) {
    const tests = file.assertionResults;
    for (const test of tests) {
      if (test.status === 'passed') total.passed += 1;
      else if (test.status === 'failed') failedHere += 1;
      else {
        total.skipped += 1;
        console.log(`skipped: ${test.fullName}`);
      }
      if (test.status === 'failed') console.log(`failed: ${file.name}: ${test.fullName}`);
    }
    // A file that could not be loaded, or whose hooks failed, has no test of its own to blame.
    if (file.status === 'failed' && !tests.some((test) => test.status === 'failed')) {
      console.log(`failed: ${file.name}: ${String(file.message ?? '').split('\n')[0]}`);
      failedHere += 1;
    }
  }
  // An error outside any test, such as an unhandled rejection, fails the run too.
  if (!report.success && failedHere === 0) {
    console.log(`failed: ${argument}: an error outside the tests`);
    failedHere = 1;
  }
  total.failed += failedHere;
}

const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
