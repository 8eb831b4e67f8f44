/**
 * Compiles the TypeScript: `node scripts/build.mjs [product] [tests]` builds dist/ (the default) and
 * dist-test/, with `--if-stale` only where a source is newer. A build goes to a directory of its own first and takes dist's place when it is whole, so that
 * a failed one leaves the last good one standing and no file of a removed source stays behind.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { asProgram, root, run, SetupError, say } from "./command.mjs";

const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
const executable = join("entry", "mtjobs.js");
const sourceDirectories = ["entry", "producers", "workers", "shared"];

/** What is built: the product, and (for tests that start processes and threads of their own) the tests. */
export const targets = {
  product: {
    project: "tsconfig.build.json",
    out: "dist",
    sources: sourceDirectories,
    page: { project: "tsconfig.page.json", directory: join("producers", "server", "page") },
  },
  tests: { project: "tsconfig.test.json", out: "dist-test", sources: [...sourceDirectories, "test"] },
};

/** The newest modification below a path, directories included, so that a removed file counts. */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function isStale({ project, out, sources }) {
  const built = statSync(join(root, out), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const inputs = [...sources, project, "tsconfig.json", "tsconfig.page.json", "package-lock.json"];
  return built === 0 || inputs.some((input) => newest(join(root, input)) > built);
}

async function compile(project, out) {
  if ((await run(process.execPath, [compiler, "-p", project, "--outDir", out])) !== 0) {
    throw new SetupError(`tsc -p ${project} failed: the errors are above`);
  }
}

/** The page is compiled for a browser; what of it is no TypeScript is copied. */
async function buildPage({ project, directory }, out) {
  await compile(project, out);
  for (const name of readdirSync(join(root, directory)).filter((file) => !file.endsWith(".ts"))) {
    copyFileSync(join(root, directory, name), join(out, directory, name));
  }
}

/** Compiles one target. @throws {SetupError} when tsc finds errors; the old build then stays. */
export async function build({ project, out, page }) {
  if (!existsSync(compiler)) {
    say("no compiler here (npm ci --omit=dev leaves it out): nothing built");
    return;
  }
  const started = new Date();
  const fresh = join(root, `${out}.new-${process.pid}`);
  const old = join(root, `${out}.old-${process.pid}`);
  try {
    await compile(project, fresh);
    if (page !== undefined && existsSync(join(root, page.project))) await buildPage(page, fresh);
    if (existsSync(join(fresh, executable))) chmodSync(join(fresh, executable), 0o755);
    // The directory's time says what the build is as new as: a source saved while tsc ran is newer.
    utimesSync(fresh, started, started);
    if (existsSync(join(root, out))) renameSync(join(root, out), old);
    renameSync(fresh, join(root, out));
  } finally {
    for (const left of [fresh, old]) rmSync(left, { recursive: true, force: true });
  }
}

/** Compiles a target where a source is newer than the last build; a target without project file is skipped. */
export async function buildIfStale(target) {
  if (!existsSync(join(root, target.project)) || !isStale(target)) return;
  say(`building ${target.out}/`);
  await build(target);
}

await asProgram(import.meta.url, async (args) => {
  const names = args.filter((argument) => Object.hasOwn(targets, argument));
  const work = args.includes("--if-stale") ? buildIfStale : build;
  for (const name of names.length > 0 ? names : ["product"]) await work(targets[name]);
});
