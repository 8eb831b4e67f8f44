import type { Plan } from "./plan.ts";
import type { Random } from "./random.ts";
import type { Writer } from "./record-writer.ts";

const stepNames = ["setup", "compile", "simulate", "compare", "report", "publish", "clean"] as const;
const stepStates = ["start", "end", "check", "retry"] as const;
const variables = ["area", "power", "slack", "runtime", "coverage", "leakage", "hold", "skew"] as const;

export interface Maker {
  plan: Plan;
  random: Random;
  writer: Writer;
}

export interface Run {
  id: number;
  startedAt: number;
  inFlight: boolean;
  /** Its tests are archived. */
  archived: boolean;
  directory: string;
}

export function insertTest(maker: Maker, run: Run, index: number): void {
  const { plan, random, writer } = maker;
  const { testname, itemPath, toplevel } = testAt(index, plan.testsPerRun);
  const [state, status] = outcomeOf(run, index, plan.testsPerRun, random);
  const startedAt = run.startedAt + index;
  const duration = 5 + random.below(run.inFlight ? 30 : 900);
  const fresh = state === "NOT_STARTED";
  // biome-ignore format: one row
  const testId = writer.tests(
    run.id, testname, itemPath, toplevel ? "n/a" : "Linux 5.10 x86_64", fresh ? "n/a" : `node${random.below(40)}`,
    fresh ? -1 : random.below(800) / 100, random.below(1_000_000), `${run.directory}/${testname}/${itemPath}`,
    `${testname}/${itemPath}`, state, status, random.below(10) === 0 ? 1 : 0, "logs/final.log",
    fresh ? 0 : duration, random.below(8) === 0 ? `seed ${random.below(1000)}` : "", startedAt,
    status === "FAIL" ? 1 : 0, status === "PASS" ? 1 : 0, run.archived ? 1 + random.below(3) : 0,
  );
  insertSteps(maker, testId, startedAt, status === "FAIL");
  insertData(maker, testId);
}

/** Of a failed test, the last step that ended failed. */
function insertSteps(
  { plan, random, writer }: Maker,
  testId: number,
  startedAt: number,
  failed: boolean,
): void {
  const lastEnd = 2 * Math.floor(plan.stepsPerTest / 2) - 1;
  for (let step = 0; step < plan.stepsPerTest; step++) {
    const name = stepNames[Math.floor(step / 2) % stepNames.length] ?? "setup";
    // the other two states follow once all names had a start and an end
    const state = stepStates[(step % 2) + 2 * Math.floor(step / (2 * stepNames.length))] ?? "start";
    const hasEnded = step % 2 === 1;
    const exitCode = failed && step === lastEnd ? 1 + random.below(2) : 0;
    const [status, log] = hasEnded ? [String(exitCode), `${name}.log`] : ["-", ""];
    writer.steps(testId, name, state, status, startedAt + step, "", log);
  }
}

function insertData({ plan, random, writer }: Maker, testId: number): void {
  for (let item = 0; item < plan.dataPerTest; item++) {
    const value = random.below(1_000_000) / 128;
    const judged = item % 3 !== 2;
    // biome-ignore format: one row
    writer.data(
      testId, `group${Math.floor(item / variables.length)}`, variables[item % variables.length] ?? "area", value,
      judged ? value + 0.5 : null, judged ? 1.25 : null, item % 2 === 0 ? "um" : null, "", judged ? "pass" : "n/a", "",
    );
  }
}

/** Chooses an outcome. In flight, the first half of the tests has ended and the last eighth has not begun. */
function outcomeOf(run: Run, index: number, tests: number, random: Random): readonly [string, string] {
  if (run.inFlight && index * 2 >= tests) {
    if (index * 8 >= tests * 7) return ["NOT_STARTED", "n/a"];
    return index % 5 === 4 ? ["LAUNCHED", "n/a"] : ["RUNNING", "n/a"];
  }
  const dice = random.below(100);
  if (dice < 90) return ["COMPLETED", "PASS"];
  if (dice < 97) return ["COMPLETED", "FAIL"];
  return dice < 98 ? ["KILLED", "KILLED"] : ["COMPLETED", "WARN"];
}

/** Makes every second group of ten one itemized test: a toplevel row and its items; the others are plain tests. */
function testAt(index: number, tests: number): { testname: string; itemPath: string; toplevel: boolean } {
  const group = Math.floor(index / 10);
  const itemized = group % 2 === 0 && tests - group * 10 >= 3;
  const place = index % 10;
  if (!itemized) return { testname: `check_${index}`, itemPath: "", toplevel: false };
  const itemPath = place === 0 ? "" : `corner${place % 3}/lot${place}`;
  return { testname: `suite_${group}`, itemPath, toplevel: place === 0 };
}

export function testNames(tests: number): string[] {
  return [...new Set(Array.from({ length: tests }, (_, index) => testAt(index, tests).testname))];
}
