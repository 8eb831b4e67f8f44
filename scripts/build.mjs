/**
 * Compiles the TypeScript: `node scripts/build.mjs [product] [tests]` builds dist/ (the default) and dist-test/;
 * with `--if-stale` only if a source is newer. It builds into a temporary directory and then replaces dist, so that
 * a failed build keeps the last good one, and files of removed sources disappear.
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

/** The builds: the product, and the tests (some start their own processes and threads). */
export const targets = {
  product: {
    project: "tsconfig.build.json",
    out: "dist",
    sources: sourceDirectories,
    page: { project: "tsconfig.page.json", directory: join("producers", "server", "page") },
  },
  tests: { project: "tsconfig.test.json", out: "dist-test", sources: [...sourceDirectories, "test"] },
};

/**
 * Returns the newest modification below a path, including directories, so that a removed file counts. Tests are not
 * compiled.
 */
function newest(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return path.endsWith(".test.ts") ? 0 : stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function isStale({ project, out, sources }) {
  const built = statSync(join(root, out), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const inputs = [...sources, project, "tsconfig.json", "tsconfig.page.json", "package-lock.json"];
  return built === 0 || inputs.some((input) => newest(join(root, input)) > built);
}

async function compile(project, out) {
  if ((await run(process.execPath, [compiler, "-p", project, "--outDir", out])) !== 0) {
    throw new SetupError(`tsc -p ${project} failed; see the errors above`);
  }
}

/** Compiles the page for browsers and copies its other files. */
async function buildPage({ project, directory }, out) {
  await compile(project, out);
  for (const name of readdirSync(join(root, directory)).filter((file) => !file.endsWith(".ts"))) {
    copyFileSync(join(root, directory, name), join(out, directory, name));
  }
}

/** Compiles one target. @throws {SetupError} if tsc finds errors; the old build stays then. */
export async function build({ project, out, page }) {
  if (!existsSync(compiler)) {
    say("no compiler here (npm ci --omit=dev omits it): nothing built");
    return;
  }
  const started = new Date();
  const fresh = join(root, `${out}.new-${process.pid}`);
  const old = join(root, `${out}.old-${process.pid}`);
  try {
    await compile(project, fresh);
    if (page !== undefined && existsSync(join(root, page.project))) await buildPage(page, fresh);
    if (existsSync(join(fresh, executable))) chmodSync(join(fresh, executable), 0o755);
    // The directory gets the start time: a source saved while tsc ran must count as newer.
    utimesSync(fresh, started, started);
    if (existsSync(join(root, out))) renameSync(join(root, out), old);
    renameSync(fresh, join(root, out));
  } finally {
    for (const left of [fresh, old]) rmSync(left, { recursive: true, force: true });
  }
}

/** Compiles a target if a source is newer than its last build; skips a target without a project file. */
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
