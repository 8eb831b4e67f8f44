/**
 * `npm run fuzz -- [--minutes 2] [--target NAME]`: feeds the targets of test/fuzz/ with inputs that jsfuzz, which is
 * installed if necessary, makes from those that reached new code. Ends with 1 at the first input that a target throws
 * for, and says where it is kept.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { passOn, root, run, SetupError, say } from "./command.mjs";
import { installTool } from "./install-tool.mjs";
import { asProgram } from "./program.mjs";

/** Bundles, and the inputs that reached new code, from which the next run goes on. */
const output = join(root, "dist-fuzz");

const targets = { "full-db": "fullDb", config: "config", payload: "payload" };

/** jsfuzz counts branches of CommonJS alone: bundles a target with what it tests. */
async function bundle(name, directory) {
  const { build } = await import("esbuild");
  const outfile = join(output, `${name}.cjs`);
  await build({
    stdin: {
      // Who wants only the seeds needs no area.
      contents: `import { ${targets[name]} } from "./test/fuzz/${name}.ts";
        export { seeds } from "./test/fuzz/${name}.ts";
        let check;
        export const fuzz = (data) => (check ??= ${targets[name]}(${JSON.stringify(directory)}))(data);`,
      resolveDir: root,
      loader: "ts",
    },
    bundle: true,
    platform: "node",
    format: "cjs",
    outfile,
    external: ["better-sqlite3"],
    logLevel: "warning",
    define: { "import.meta.url": "bundleUrl" },
    banner: { js: 'const bundleUrl = require("node:url").pathToFileURL(__filename).href;' },
  });
  return outfile;
}

function writeSeeds(program, corpus) {
  mkdirSync(corpus, { recursive: true });
  const { seeds } = createRequire(import.meta.url)(program);
  for (const seed of seeds)
    writeFileSync(join(corpus, createHash("sha256").update(seed).digest("hex")), seed);
}

let isStopped = false;

function takeSignals() {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      isStopped = true;
      passOn("SIGKILL");
    });
  }
}

/** Resolves to true if no input failed. */
async function fuzz(jsfuzz, name, minutes) {
  const corpus = join(output, "corpus", name);
  const directory = mkdtempSync(join(tmpdir(), "mtjobs-fuzz-"));
  const log = join(output, `${name}.log`);
  mkdirSync(output, { recursive: true });
  const descriptor = openSync(log, "w");
  let isOver = false;
  try {
    const program = await bundle(name, directory);
    writeSeeds(program, corpus);
    say(`${name}: fuzzing for ${minutes} min; ${log} has the progress`);
    const kept = join(output, `${name}-failed-${Date.now()}`);
    // jsfuzz takes the program from the working directory.
    const args = [
      join(jsfuzz, "build", "src", "index.js"),
      "--versifier=false",
      `--exact-artifact-path=${kept}`,
      relative(root, program),
      corpus,
    ];
    await run(process.execPath, args, {
      stdout: descriptor,
      started(pid) {
        setTimeout(() => {
          isOver = true;
          // Its worker goes on without it.
          process.kill(-pid, "SIGKILL");
        }, minutes * 60_000).unref();
      },
    });
    if (isStopped) return false;
    report(name, readFileSync(log, "utf8"), isOver ? undefined : kept);
    return isOver;
  } finally {
    closeSync(descriptor);
    rmSync(directory, { recursive: true, force: true });
  }
}

function report(name, log, kept) {
  const last = [...log.matchAll(/^#(\d+) \w+ +cov: (\d+)/gm)].at(-1) ?? [];
  const ending =
    kept === undefined
      ? "none failed"
      : existsSync(kept)
        ? `the last is kept in ${kept}`
        : "then jsfuzz ended";
  process.stdout.write(`${name}: ${last[1] ?? 0} inputs, ${last[2] ?? 0} branches reached; ${ending}\n`);
  if (kept !== undefined) process.stdout.write(log.slice(Math.max(log.indexOf("====="), 0)));
}

function optionsOf(args) {
  const { values } = parseArgs({
    args,
    options: { minutes: { type: "string", default: "2" }, target: { type: "string" } },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new SetupError(`--minutes: "${values.minutes}" is not a number above 0`, 2);
  const names = values.target === undefined ? Object.keys(targets) : [values.target];
  const unknown = names.find((name) => !Object.hasOwn(targets, name));
  if (unknown !== undefined)
    throw new SetupError(`--target: "${unknown}" is not one of ${Object.keys(targets).join(", ")}`, 2);
  return { minutes, names };
}

await asProgram(import.meta.url, async (args) => {
  const { minutes, names } = optionsOf(args);
  takeSignals();
  const jsfuzz = await installTool("fuzz", "jsfuzz", "20 MB");
  for (const name of names) if (!(await fuzz(jsfuzz, name, minutes))) return isStopped ? 130 : 1;
  return 0;
});
