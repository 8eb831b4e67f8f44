/**
 * `node scripts/launch.mjs demo|test|unit|faults|installs|limits|torture|powercut|stories|fuzz|mutation|image-test|machines
 * |bench|pages|pictures|figures|structure [arguments]`: sets up what is missing, runs the program, removes what it started, and exits with the program's
 * status. Needs only Node and npm.
 */
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildIfStale, targets } from "./build.mjs";
import { ensureChromium } from "./chromium.mjs";
import { exitStatus, passOn, run, SetupError, which } from "./command.mjs";
import { installDependencies } from "./dependencies.mjs";
import { installPackages } from "./package-manager.mjs";
import { asProgram } from "./program.mjs";
import { withRedis } from "./redis.mjs";

const vitest = [join("node_modules", "vitest", "vitest.mjs"), "run"];

/** Tests start some thousand processes: Node keeps what it compiled of vitest, the tests and the product. */
const compileCache = { NODE_COMPILE_CACHE: resolve("node_modules", ".compile-cache") };

const programs = {
  demo: { targets: [targets.product], command: [join("dist", "entry", "mtjobs.js"), "demo"] },
  test: {
    targets: [targets.product, targets.tests],
    command: vitest,
    prepare: ensureChromium,
  },
  unit: { targets: [], command: [...vitest, "--project", "unit"], needsRedis: false },
  faults: {
    targets: [targets.product, targets.tests],
    command: [
      ...vitest,
      join("test", "faults"),
      "risen-rows",
      "one-job",
      "follow",
      "move/far-ids",
      "webhook",
      "full-db/rewrite",
      "--reporter=verbose",
    ],
    env: { MTJOBS_FAULTS: "all" },
  },
  installs: {
    targets: [targets.product, targets.tests],
    command: [...vitest, join("test", "installs"), "--reporter=verbose"],
    env: { MTJOBS_INSTALLS: "all" },
  },
  limits: {
    targets: [targets.product, targets.tests],
    command: [...vitest, join("test", "limits"), "--disable-console-intercept"],
    // Several gigabytes may not fit into memory.
    env: { MTJOBS_LIMITS: "full", TMPDIR: tmpdir() },
  },
  torture: {
    targets: [targets.product, targets.tests],
    command: [...vitest, join("test", "torture"), "--disable-console-intercept"],
    options: { minutes: "MTJOBS_TORTURE_MINUTES", seed: "MTJOBS_TORTURE_SEED" },
    env: { MTJOBS_TORTURE_MINUTES: "10", MTJOBS_TORTURE_SEED: String(Date.now() % 1_000_000) },
    prepare: wantStrace,
  },
  powercut: {
    targets: [targets.product, targets.tests],
    command: [...vitest, join("test", "powercut"), "--disable-console-intercept"],
    options: { minutes: "MTJOBS_POWERCUT_MINUTES", seed: "MTJOBS_POWERCUT_SEED" },
    env: { MTJOBS_POWERCUT_MINUTES: "10", MTJOBS_POWERCUT_SEED: String(Date.now() % 1_000_000) },
    prepare: needStrace,
  },
  stories: {
    targets: [targets.product, targets.tests],
    command: [...vitest, join("test", "stories"), "--disable-console-intercept"],
    options: { minutes: "MTJOBS_STORIES_MINUTES", seed: "MTJOBS_STORIES_SEED" },
    env: { MTJOBS_STORIES_MINUTES: "10", MTJOBS_STORIES_SEED: String(Date.now() % 1_000_000) },
  },
  fuzz: { targets: [targets.product], command: [join("scripts", "fuzz.mjs")], needsRedis: false },
  mutation: {
    targets: [targets.product, targets.tests],
    command: [join("scripts", "mutation.mjs")],
  },
  "image-test": {
    targets: [],
    command: [...vitest, join("test", "image"), "--disable-console-intercept"],
    env: { MTJOBS_IMAGE: "yes" },
    needsRedis: false,
    prepare: needPodman,
  },
  machines: {
    targets: [],
    command: [...vitest, join("test", "machines"), "--disable-console-intercept", "--no-file-parallelism"],
    env: { MTJOBS_MACHINES: "yes" },
    needsRedis: false,
    prepare: needMachines,
  },
  bench: {
    targets: [targets.product, targets.tests],
    command: [join("dist-test", "test", "bench", "main.js")],
    tools: { sqlite3: { apt: [["sqlite3"]], dnf: [["sqlite"]], apk: [["sqlite"]], brew: [["sqlite"]] } },
  },
  pictures: {
    targets: [targets.product, targets.tests],
    command: [...vitest, join("test", "producers", "server"), join("test", "figures", "reduce-animation")],
    env: { SCREENSHOTS: join("docs", "images"), MTJOBS_PAGES: "all" },
    prepare: ensureChromium,
  },
  pages: {
    targets: [targets.product, targets.tests],
    command: [...vitest, join("test", "producers", "server"), "--reporter=verbose"],
    env: { MTJOBS_PAGES: "all", MTJOBS_FAULTS: "all" },
    prepare: ensureChromium,
  },
  figures: { targets: [], command: [join("test", "figures", "main.ts")], needsRedis: false },
  structure: { targets: [], command: [join("test", "structure", "main.ts")], needsRedis: false },
};

/** Ctrl-C in a terminal may arrive twice, from the terminal and from npm; signals within this time count as one. */
const onePressMs = 300;
let stoppedBy;

function takeSignals() {
  let last = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      const now = performance.now();
      if (stoppedBy !== undefined && now - last < onePressMs) return;
      last = now;
      stoppedBy = signal;
      passOn(signal);
    });
  }
}

function unlessStopped() {
  if (stoppedBy !== undefined) throw new SetupError(`stopped by ${stoppedBy}`, exitStatus(null, stoppedBy));
}

/** Requires a system program for one command. */
async function needTool(tool, packages) {
  if (await haveTool(tool, packages)) return;
  throw new SetupError(`install ${tool}, then run this again`);
}

async function haveTool(tool, packages) {
  return which(tool) !== undefined || (await installPackages(tool, packages));
}

const strace = { apt: [["strace"]], dnf: [["strace"]], apk: [["strace"]] };

async function needStrace() {
  await needTool("strace", strace);
}

async function needPodman() {
  // Also what podman starts containers, their networks' names and `--init` with, and what makes a base image.
  const [network, ...others] = [
    "golang-github-containernetworking-plugin-dnsname",
    "podman-compose",
    "debootstrap",
  ];
  const packages = ["podman", "buildah", "runc", "catatonit", "dnsmasq-base", "iptables", ...others];
  const apt = [
    [...packages, network],
    [...packages, "netavark", "aardvark-dns"],
  ];
  await needTool("podman-compose", { apt });
}

/** Virtual machines, and what makes their disks. */
async function needMachines() {
  const packages = ["qemu-system-x86", "qemu-utils", "debootstrap", "e2fsprogs"];
  if (["qemu-img", "debootstrap", "mke2fs"].every((tool) => which(tool) !== undefined))
    return await needTool("qemu-system-x86_64", { apt: [packages] });
  if (!(await installPackages("virtual machines", { apt: [packages] })))
    throw new SetupError(`install ${packages.join(", ")}, then run this again`);
}

/** Torture slows down a worker's files with strace; without strace it skips that. */
async function wantStrace() {
  await haveTool("strace", strace);
}

/**
 * Converts number options to environment variables; undefined for a program that takes its own arguments, "help" if
 * requested.
 */
function numbersFrom(options, args, usage) {
  if (options === undefined) return undefined;
  const wrong = (message) => new SetupError(`${message}; ${usage}`, 2);
  try {
    const { values } = parseArgs({
      args,
      options: {
        ...Object.fromEntries(Object.keys(options).map((name) => [name, { type: "string" }])),
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help === true) return "help";
    for (const [name, value] of Object.entries(values)) {
      if (!/^\d+$/.test(value)) throw wrong(`--${name}: "${value}" is not a whole number`);
    }
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [options[name], value]));
  } catch (error) {
    throw error instanceof SetupError ? error : wrong(error.message);
  }
}

function usageOf(name, options = {}) {
  const named = Object.keys(options).map((option) => `[--${option} NUMBER]`);
  return `usage: npm run ${name} -- ${named.join(" ")}`;
}

function printUsage(usage) {
  process.stdout.write(`${usage}\n`);
  return 0;
}

async function launch(name, args) {
  const program = Object.hasOwn(programs, name ?? "") ? programs[name] : undefined;
  if (program === undefined) {
    const usage = `usage: node scripts/launch.mjs ${Object.keys(programs).join("|")} [arguments]`;
    if (name === "--help" || name === "-h") return printUsage(usage);
    throw new SetupError(usage, 2);
  }
  const usage = usageOf(name, program.options);
  const numbers = numbersFrom(program.options, args, usage);
  if (numbers === "help") return printUsage(usage);
  takeSignals();
  await installDependencies();
  for (const target of program.targets) {
    unlessStopped();
    await buildIfStale(target);
  }
  await program.prepare?.();
  for (const [tool, packages] of Object.entries(program.tools ?? {})) await needTool(tool, packages);
  unlessStopped();
  const command = [...program.command, ...(numbers ? [] : args)];
  const env = {
    ...(program.command[0] === vitest[0] ? compileCache : {}),
    ...process.env,
    ...program.env,
    ...numbers,
  };
  if (program.needsRedis === false) return run(process.execPath, command, { env, stdout: process.stdout });
  return withRedis(async (redis) => {
    unlessStopped();
    const status = await run(process.execPath, command, {
      env: { ...env, MTJOBS_REDIS_URL: redis.url },
      stdout: process.stdout,
      started: redis.watch,
    });
    redis.watch(null);
    return status;
  });
}

await asProgram(import.meta.url, ([name, ...args]) =>
  launch(name, args).catch((error) => {
    unlessStopped();
    throw error;
  }),
);
