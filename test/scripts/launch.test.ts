import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findProgram, listens, Machine, root, smallCheckout, until } from "./run-script.ts";

const server = (await findProgram("redis-server")) ?? (await findProgram("valkey-server"));

/** Prints one line with its arguments and Redis, then leaves as told by SIGTERM or the first argument. */
const command = `
const [name, how, ...rest] = process.argv.slice(2);
process.on("SIGTERM", () => { console.log("told to stop"); setTimeout(() => process.exit(5), 100); });
console.log(JSON.stringify({ name, rest, url: process.env["MTJOBS_REDIS_URL"], pid: process.pid }));
if (how === "--stay") setInterval(() => {}, 1000); else process.exit(7);
`;

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe.skipIf(server === undefined)("with a server program on this machine", () => {
  async function launch(...args: string[]) {
    const machine = new Machine();
    machine.link("redis-server", server ?? "");
    const top = smallCheckout({ "entry/mtjobs.ts": command });
    const started = await machine.start([join(top, "scripts", "launch.mjs"), "demo", ...args], top);
    const report = JSON.parse(started.firstLine) as {
      name: string;
      rest: string[];
      url: string;
      pid: number;
    };
    return { machine, ...started, report };
  }

  test("the launcher builds, passes arguments and a Redis on, and exits as the program did", async () => {
    const { machine, report, ended } = await launch("--leave", "--keep-area", "x y");
    const { status, stderr } = await ended;
    expect(status, stderr).toBe(7);
    expect(stderr).toContain("building dist/");
    expect(report).toMatchObject({ name: "demo", rest: ["--keep-area", "x y"] });
    expect(report.url).toMatch(/^redis:\/\/127\.0\.0\.1:\d+$/);
    expect(await listens(report.url)).toBe(false);
    expect(machine.leftovers()).toEqual([]);
  });

  test("SIGTERM to the launcher stops the program first and then removes the Redis", async () => {
    const { machine, child, report, ended } = await launch("--stay");
    child.kill("SIGTERM");
    const { status, stdout } = await ended;
    expect(stdout).toContain("told to stop");
    expect(status).toBe(5);
    expect(await listens(report.url)).toBe(false);
    expect(machine.leftovers()).toEqual([]);
  });

  test("a launcher killed outright leaves neither the program nor the Redis behind", async () => {
    const { machine, child, report } = await launch("--stay");
    child.kill("SIGKILL");
    await until(
      async () => !isAlive(report.pid) && !(await listens(report.url)) && machine.leftovers().length === 0,
      () => `program alive: ${isAlive(report.pid)}, left: ${machine.leftovers().join(", ")}`,
    );
  });
});

test("a launcher without a program to launch tells how it is used and exits 2", async () => {
  const { status, stderr } = await new Machine().run([join(root, "scripts", "launch.mjs"), "toString"]);
  expect(status).toBe(2);
  expect(stderr).toContain(
    "demo|test|unit|faults|installs|limits|torture|powercut|stories|fuzz|mutation|image-test|machines|bench|pictures|pages|figures|structure",
  );
});

test("a launcher whose program takes whole numbers refuses anything else, and exits 2", async () => {
  const launch = join(root, "scripts", "launch.mjs");
  for (const [args, named] of [
    [["--seed", "x"], '--seed: "x" is not a whole number'],
    [["--seed", "1", "--minutes=1.5"], '--minutes: "1.5" is not a whole number'],
    [["--minutes"], "--minutes"],
    [["--hours", "1"], "--hours"],
    [["7"], "7"],
  ] as const) {
    const { status, stderr } = await new Machine().run([launch, "torture", ...args]);
    expect(status).toBe(2);
    expect(stderr).toContain(named);
    expect(stderr).toContain("usage: npm run torture -- [--minutes NUMBER] [--seed NUMBER]");
  }
});

test("a launcher that is asked for help prints the usage on stdout, starts nothing, and exits 0", async () => {
  const launch = join(root, "scripts", "launch.mjs");
  for (const [args, usage] of [
    [["--help"], "usage: node scripts/launch.mjs demo|"],
    [["powercut", "--help"], "usage: npm run powercut -- [--minutes NUMBER] [--seed NUMBER]"],
    [["torture", "--seed", "7", "-h"], "usage: npm run torture -- [--minutes NUMBER] [--seed NUMBER]"],
  ] as const) {
    const { status, stdout, stderr } = await new Machine().run([launch, ...args]);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(usage);
  }
});
