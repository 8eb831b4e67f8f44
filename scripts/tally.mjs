/**
 * `node scripts/tally.mjs REPORT`: prints "N passed, N failed" from vitest's JSON report, as the gate's last line.
 * Exits 1 if a test failed, or if none ran.
 */
import { readFileSync } from "node:fs";
import { asProgram } from "./program.mjs";

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, testResults: [], success: false };
  }
}

await asProgram(import.meta.url, ([path]) => {
  const report = readReport(path);
  // A file that fails to load contains no failed test: count it as one.
  const unloadable = report.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed"),
  );
  const failed = report.numFailedTests + unloadable.length;
  process.stdout.write(`${report.numPassedTests} passed, ${failed} failed\n`);
  return failed === 0 && report.numPassedTests > 0 ? 0 : 1;
});
