// Which end-to-end files may run once more, alone: those that failed beside others on a crowded machine and prove no
// protection. What tries to get round the gateway must hold at the first try, so nothing runs again when such a file failed,
// or when more than three did. Prints the files, one a line, and writes the report without them in its own place.
import { readFileSync, writeFileSync } from 'node:fs';

const [path] = process.argv.slice(2);
const report = JSON.parse(readFileSync(path, 'utf8'));
const failed = report.testResults.filter((file) => file.status === 'failed');
const protection = /\/test\/(attacks|advisories|audit-files|audit-secrets|accuracy|login|integration)/;

if (failed.length > 0 && failed.length <= 3 && !failed.some(({ name }) => protection.test(name))) {
  writeFileSync(
    path,
    JSON.stringify({
      ...report,
      success: true,
      testResults: report.testResults.filter((file) => !failed.includes(file)),
    }),
  );
  for (const { name } of failed) console.log(name);
}
