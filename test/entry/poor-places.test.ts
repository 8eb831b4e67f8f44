import { spawn } from "node:child_process";
import { chmodSync, closeSync, mkdirSync, openSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { SampleArea } from "../../producers/demo/sample-area/build-area.ts";
import { completedColumn, isRoot, newArea, nobody, temporaryDirectory } from "../support/area.ts";
import { builtCommand, collectOutput, onQueue, runCommand } from "../support/queue.ts";

const stackTrace = /^ {4}at |node:internal|Node\.js v/m;

const envOf = (area: SampleArea) => ({
  MTJOBS_HOST: area.host,
  MTJOBS_USER: area.user,
  MTJOBS_CACHE_ROOT: area.cacheRoot,
  MTJOBS_REDIS_URL: "redis://127.0.0.1:1",
});

const smallArea = () => newArea({ runs: 3, inFlight: 0, testsPerRun: 2 });

interface Streams {
  stdout?: string;
  stderr?: string;
}

/** Runs the command with its output going to these files. */
async function runInto({ stdout, stderr }: Streams, args: readonly string[], env: Record<string, string>) {
  const fds = [stdout, stderr].map((file) => (file === undefined ? undefined : openSync(file, "w")));
  const child = spawn(process.execPath, [builtCommand, ...args], {
    cwd: "/",
    env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...env },
    stdio: ["ignore", fds[0] ?? "pipe", fds[1] ?? "pipe"],
  });
  for (const fd of fds) if (fd !== undefined) closeSync(fd);
  return await collectOutput(child).ended;
}

/** Runs the command in a directory that is removed before it starts. */
async function runInRemoved(args: readonly string[], env: Record<string, string>) {
  const directory = join(temporaryDirectory(), "gone");
  mkdirSync(directory);
  const child = spawn(
    "sh",
    ["-c", 'rmdir "$PWD" && exec "$0" "$@"', process.execPath, builtCommand, ...args],
    {
      cwd: directory,
      env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  return await collectOutput(child).ended;
}

describe("a working directory that was removed", () => {
  it("keeps no command with an absolute path from its work", async () => {
    const area = smallArea();
    const reduced = await runInRemoved(["reduce", area.directory, "--runname", "%", "--inline"], envOf(area));
    expect([reduced.code, reduced.stderr]).toEqual([0, expect.not.stringMatching(stackTrace)]);
    expect(completedColumn(area, "SELECT count(*) FROM runs")).toEqual([3]);
  });

  it("is named by a command that is told no other", async () => {
    const { code, stderr } = await runInRemoved(["list-runs"], {});
    expect(code).toBe(2);
    expect(stderr).toContain("gone (deleted) is not a Megatest area");
    expect(stderr).not.toMatch(stackTrace);
  });
});

describe("the home of another user", () => {
  it.runIf(isRoot)("that cannot be entered holds no settings, and stops no command", async () => {
    const home = temporaryDirectory();
    mkdirSync(join(home, ".config/mtjobs"), { recursive: true });
    writeFileSync(join(home, ".config/mtjobs/mtjobs.json"), "not JSON");
    chmodSync(home, 0o700);
    const { code, stderr } = await runCommand(["status", "/nonexistent"], {
      env: { HOME: home },
      uid: nobody,
      gid: nobody,
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining("/nonexistent is not a Megatest area")]);
  });

  it.each(["/dev/null", "", "."])("is none where HOME is %j", async (home) => {
    const cwd = temporaryDirectory();
    mkdirSync(join(cwd, ".config/mtjobs"), { recursive: true });
    writeFileSync(join(cwd, ".config/mtjobs/mtjobs.json"), "not JSON");
    const { code, stderr } = await runCommand(["status", "/nonexistent"], { env: { HOME: home }, cwd });
    expect([code, stderr]).toEqual([2, expect.stringContaining("/nonexistent is not a Megatest area")]);
  });

  it.runIf(isRoot)("may be entered, and its settings not be read: that is said by name", async () => {
    const home = temporaryDirectory();
    chmodSync(home, 0o755);
    mkdirSync(join(home, ".config/mtjobs"), { recursive: true });
    const file = join(home, ".config/mtjobs/mtjobs.json");
    writeFileSync(file, "{}", { mode: 0o600 });
    const { code, stderr } = await runCommand(["status", "/nonexistent"], {
      env: { HOME: home },
      uid: nobody,
      gid: nobody,
    });
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${file} cannot be read: EACCES`)]);
  });
});

describe.runIf(process.platform === "linux")("a full disk behind the output", () => {
  it.each([
    [["--version"]],
    [["--help"]],
    [["list-runs", "AREA"]],
    [["list-runs", "AREA", "--json"]],
    [["query", "AREA", "SELECT hex(zeroblob(1000000)) AS x", "--csv"]],
    [["status", "AREA", "--json"]],
  ])("ends what prints alone with exit 1, and says so: %j", async (args) => {
    const area = smallArea();
    const given = args.map((arg) => (arg === "AREA" ? area.directory : arg));
    const { code, stderr } = await runInto({ stdout: "/dev/full" }, given, envOf(area));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^mtjobs: cannot write the output: no space left[^;\n]*\n {2}hint: free space on the output's file system[^\n]*\n$/,
    );
  });

  it.each([["reduce"], ["restore"]])(
    "ends a dry run of a %s with exit 1: its output is all",
    async (command) => {
      const area = smallArea();
      const args = [command, area.directory, "--runname", "%", "--inline", "--dry-run"];
      const { code, stderr } = await runInto({ stdout: "/dev/full" }, args, envOf(area));
      expect([code, stderr]).toEqual([1, expect.not.stringContaining("succeeded")]);
    },
  );

  it("keeps no error of the command from stderr that belongs into the JSON document", async () => {
    const args = ["restore", smallArea().directory, "--inline", "--json"];
    const { code, stderr } = await runInto({ stdout: "/dev/full" }, args, {});
    expect(code).toBe(2);
    expect(stderr).toContain("cannot write the output: no space left");
    expect(stderr).toMatch(/^mtjobs: .*selector/m);
  });

  it("changes no exit code of a job that was done, and says that it was", async () => {
    const area = smallArea();
    const args = ["reduce", area.directory, "--runname", "%", "--inline", "--json"];
    const { code, stderr } = await runInto({ stdout: "/dev/full" }, args, envOf(area));
    expect(code).toBe(0);
    expect(stderr).toContain("the command itself succeeded");
    expect(stderr).not.toMatch(stackTrace);
    expect(completedColumn(area, "SELECT count(*) FROM runs")).toEqual([3]);
  });

  it("where errors and notes go changes no exit code", async () => {
    const area = smallArea();
    const env = envOf(area);
    const refused = await runInto({ stderr: "/dev/full" }, ["status", "/nonexistent"], env);
    expect(refused.code).toBe(2);
    const args = ["reduce", area.directory, "--runname", "%", "--inline"];
    expect((await runInto({ stderr: "/dev/full" }, args, env)).code).toBe(0);
    expect(completedColumn(area, "SELECT count(*) FROM runs")).toEqual([3]);
  });
});

describe("a reader of the output that has gone", () => {
  async function runIntoClosedPipe(args: readonly string[], env: Record<string, string>) {
    const child = spawn(
      "sh",
      ["-c", '{ "$0" "$@"; echo "exit $?" >&2; } | sleep 0', process.execPath, builtCommand, ...args],
      {
        cwd: "/",
        env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...env },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    return (await collectOutput(child).ended).stderr;
  }

  it("is no error of what prints alone", async () => {
    const area = smallArea();
    for (const args of [
      ["list-runs", area.directory],
      ["list-runs", area.directory, "--json"],
      ["query", area.directory, "SELECT hex(zeroblob(1000000)) AS x", "--csv"],
      ["status", area.directory],
    ])
      expect(await runIntoClosedPipe(args, envOf(area))).toBe("exit 0\n");
  });

  it("makes no refusal and no failure pass for done", async () => {
    const area = smallArea();
    expect(await runIntoClosedPipe(["status", "/nonexistent", "--json"], {})).toBe("exit 2\n");
    const env = { ...envOf(area), MTJOBS_HOST: "elsewhere" };
    const args = ["reduce", area.directory, "--runname", "%", "--inline", "--json"];
    expect(await runIntoClosedPipe(args, env)).toBe("exit 3\n");
  });
});

it("control characters in a path that is refused do not reach the terminal", async () => {
  const { code, stderr } = await runCommand(["status", "/no\u001b[31mwhere\n\u0007\u202e"]);
  expect(code).toBe(2);
  expect(stderr).toContain("/no\\u001b[31mwhere\\u000a\\u0007\\u202e is not a Megatest area");
});

it("a PATH without head and id is enough for a job and for the doctor", async () => {
  const area = smallArea();
  const bin = join(temporaryDirectory(), "bin");
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, "node"));
  const env = { ...envOf(area), PATH: bin };
  const reduced = await runCommand(["reduce", area.directory, "--runname", "%", "--inline"], { env });
  expect([reduced.code, reduced.stderr]).toEqual([0, expect.not.stringMatching(stackTrace)]);
  expect(completedColumn(area, "SELECT count(*) FROM runs")).toEqual([3]);
  const healthy = await runCommand(["doctor", area.directory], { env });
  expect([healthy.code, healthy.stderr]).toEqual([0, ""]);
  const listed = await runCommand(["list-runs", area.directory, "--full-db"], { env });
  expect([listed.code, listed.stderr]).toEqual([0, ""]);
});

it.runIf(process.platform === "linux")("a worker whose log is on a full disk goes on to work", () =>
  onQueue(async (stage) => {
    const env = { MTJOBS_REDIS_URL: stage.url, MTJOBS_PREFIX: stage.prefix, MTJOBS_HOST: "hosta" };
    const full = openSync("/dev/full", "w");
    const worker = spawn(process.execPath, [builtCommand, "worker"], {
      cwd: "/",
      env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", MTJOBS_AREAS: stage.root, ...env },
      stdio: ["ignore", "ignore", full],
    });
    closeSync(full);
    try {
      const id = await stage.add("hosta", "reduce", { v: 1, area: "/elsewhere", runname: "%" });
      const { failedReason } = await stage.reach("hosta", id, "failed", 30_000);
      expect([worker.exitCode, failedReason]).toEqual([null, expect.stringContaining("outside-roots")]);
    } finally {
      worker.kill("SIGKILL");
    }
  }),
);
