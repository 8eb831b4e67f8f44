import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { type Random, seededRandom } from "../../producers/demo/sample-area/random.ts";
import { JobsError } from "../../shared/errors.ts";
import { largeTest } from "../../workers/move/slices/large-tests.ts";
import { exportsIn, newArea, temporaryDirectory } from "../support/area.ts";
import { runImport, runPurge, runReduce, runRestore } from "../support/queue.ts";
import { Account } from "./account.ts";
import { Deeds } from "./deeds.ts";

/** What a seed makes happen to one area. */
export class Story {
  readonly lines: string[] = [];
  readonly jobs = new Map<string, number>();
  readonly #random: Random;
  readonly #area: ReturnType<typeof newArea>;
  readonly #exports: string;
  readonly #account: Account;
  readonly #deeds: Deeds;

  constructor(seed: number) {
    this.#random = seededRandom(seed * 2_654_435_761);
    this.#area = newArea({
      ...{ runs: 3, testsPerRun: 2, stepsPerTest: 3, dataPerTest: 2, inFlight: 0, unsynced: false },
      cacheWal: this.#isLikely(30),
      syncsLastUpdate: this.#isLikely(50),
    });
    this.#exports = temporaryDirectory();
    this.#account = new Account(this.#area, () => exportsIn(this.#exports));
    this.#deeds = new Deeds(this.#area, this.#account, this.#random, (line) => this.lines.push(line));
    this.#deeds.begin();
  }

  /** Returns what is wrong after the first job after which something is. */
  async play(): Promise<string[]> {
    const usual = { ...largeTest };
    const cut = this.#random.below(3);
    if (cut > 0) Object.assign(largeTest, { above: cut, rowsPerCut: cut });
    try {
      for (let jobs = 4 + this.#random.below(7); jobs > 0; jobs--) {
        for (let deeds = this.#random.below(4); deeds > 0; deeds--) await this.#deeds.between();
        const problems = await this.#job();
        if (problems.length > 0) return problems;
      }
      return [];
    } finally {
      Object.assign(largeTest, usual);
    }
  }

  /** Removes the area, which may be one of many. */
  remove(): void {
    for (const directory of [join(this.#area.directory, "..", ".."), this.#exports])
      rmSync(directory, { recursive: true });
  }

  #isLikely(percent: number): boolean {
    return this.#random.below(100) < percent;
  }

  async #job(): Promise<string[]> {
    const chance = this.#random.below(100);
    const kind = chance < 42 ? "reduce" : chance < 75 ? "restore" : chance < 88 ? "purge" : "import";
    const runs = this.#choose(kind === "reduce" ? this.#area.cacheDb : this.#account.completedDb);
    const file = this.#random.pick(exportsIn(this.#exports) as [string, ...string[]]);
    if (kind === "import" && file === undefined) return [];
    const watch = this.#watch();
    this.lines.push(`${kind} ${kind === "import" ? file : runs.join()}`);
    try {
      const chosen = { runname: undefined, runId: runs };
      const { result } = await {
        reduce: () => runReduce(this.#area, chosen, watch),
        restore: () => runRestore(this.#area, chosen, watch),
        purge: () => runPurge(this.#area, { ...chosen, export: this.#exports }, watch),
        import: () => runImport(this.#area, file, {}, watch),
      }[kind]();
      this.#end(kind, `ok, skipped ${JSON.stringify(result.skipped)}, ${JSON.stringify(result.warnings)}`);
      if (!watch.isCleaned) this.#deeds.areGuardsGone = false;
      const isClean = watch.writes === 0 && result.warnings.length === 0;
      return this.#account.problems({ isClean, mayBeReused: watch.isCleaned });
    } catch (error) {
      if (!(error instanceof JobsError)) throw error;
      this.#end(kind, `${error.code} ${watch.diedAt ?? error.message}`);
      if (watch.diedAt === undefined && !this.#isRefusal(error)) return [`failed: ${String(error.stack)}`];
      return this.#account.problems({ isClean: false, mayBeReused: true });
    }
  }

  #end(kind: string, how: string): void {
    this.lines.push(`  ${how}`);
    const outcome = `${kind} ${how.split(/[ ,]/)[0]}`;
    this.jobs.set(outcome, (this.jobs.get(outcome) ?? 0) + 1);
  }

  /** Refused with nothing changed: a run of that name is there by now. */
  #isRefusal({ code }: JobsError): boolean {
    return code === "conflict";
  }

  /** Some of the runs there. */
  #choose(file: string): string[] {
    if (!existsSync(file)) return ["999"];
    const db = new Database(file, { readonly: true });
    const all = db.prepare("SELECT id FROM runs WHERE runname NOT LIKE 'mtjobs-%'").pluck().all().map(String);
    db.close();
    const chosen = all.filter(() => this.#isLikely(60));
    return chosen.length > 0 ? chosen : [all[0] ?? "999"];
  }

  /** Lets a job die at one of its steps, or lets Megatest write at some. */
  #watch() {
    const diesAt = this.#isLikely(40) ? this.#random.below(60) : undefined;
    const writesAt = this.#isLikely(50) ? this.#random.below(25) : 0;
    const watch = {
      steps: 0,
      writes: 0,
      isCleaned: false,
      diedAt: undefined as string | undefined,
      failpoint: (name: string) => {
        if (watch.diedAt !== undefined) return;
        if (watch.steps++ === diesAt && name !== "releasing") {
          watch.diedAt = name;
          throw new JobsError("stopped", "died");
        }
        if (watch.writes === 4 || !this.#isLikely(writesAt)) return;
        watch.writes++;
        this.lines.push(`  at ${name}:`);
        if (this.#deeds.meanwhile()) watch.isCleaned = true;
      },
    };
    return watch;
  }
}
