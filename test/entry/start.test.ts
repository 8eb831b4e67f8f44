import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { builtFile } from "../../shared/process.ts";
import { newArea, temporaryDirectory } from "../support/area.ts";
import { canTrace } from "../support/queue.ts";

const built = dirname(dirname(fileURLToPath(builtFile("entry/mtjobs.js"))));

/** A copy of the built product, which belongs to this user, and a home directory. */
function installation() {
  const root = temporaryDirectory();
  const dist = join(root, "dist");
  cpSync(built, dist, { recursive: true, filter: (path) => !path.includes("compile-cache") });
  cpSync(join(dirname(built), "package.json"), join(root, "package.json"));
  symlinkSync(join(dirname(built), "node_modules"), join(root, "node_modules"));
  mkdirSync(join(root, "home"));
  const env: Record<string, string | undefined> = { ...process.env, HOME: join(root, "home") };
  delete env.NODE_COMPILE_CACHE;
  const command = join(dist, "entry", "mtjobs.js");
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [command, ...args], { env, encoding: "utf8" });
  return { root, dist, env, command, run };
}

describe("the start of a command", () => {
  /** The files of the installation that a command opens: its own, and those of packages. */
  function opened({ root, dist, env, command }: ReturnType<typeof installation>, args: string[]) {
    const log = join(root, "opened");
    const traced = ["-f", "-e", "trace=openat", "-o", log, process.execPath, command, ...args];
    const options = { env: { ...env, NODE_DISABLE_COMPILE_CACHE: "1" }, encoding: "utf8" } as const;
    const { status, stderr } = spawnSync("strace", traced, options);
    const found = readFileSync(log, "utf8").matchAll(/openat\(\w+, "([^"]+)".* = \d+$/gm);
    const files = [...found].map(([, path = ""]) => path);
    return {
      ...{ status, stderr },
      own: files.filter((path) => path.startsWith(`${dist}/`)),
      packages: files.filter((path) => path.includes("/node_modules/") && path.endsWith(".js")),
    };
  }

  it.skipIf(!canTrace())("opens a few files of the installation (needs strace)", () => {
    const installed = installation();
    for (const args of [["--version"], ["status", "--help"], ["reduce", "--help"]]) {
      const { own, packages } = opened(installed, args);
      expect(own.length).toBeGreaterThan(1);
      expect(own.length).toBeLessThanOrEqual(8);
      expect(packages).toEqual([]);
    }
  });

  it.skipIf(!canTrace())(
    "opens some twenty files at most to do its work, and of packages only native ones' (needs strace)",
    () => {
      const installed = installation();
      const { directory, host, user, cacheRoot } = newArea({ runs: 2 });
      Object.assign(installed.env, { MTJOBS_HOST: host, MTJOBS_USER: user, MTJOBS_CACHE_ROOT: cacheRoot });
      for (const args of [
        ["list-runs", directory],
        ["query", directory, "select 1"],
        ["status", directory],
        ["reduce", directory, "--age", "1d", "--dry-run", "--inline"],
        ["jobs"],
      ]) {
        const { own, packages, status, stderr } = opened(installed, args);
        expect([status, stderr], args[0]).toEqual([0, ""]);
        expect(own.length, args[0]).toBeLessThanOrEqual(20);
        const native =
          /node_modules\/(better-sqlite3|msgpackr-extract|detect-libc|node-gyp-build-optional-packages)\//;
        expect(packages.filter((path) => !native.test(path))).toEqual([]);
      }
    },
  );

  it("keeps what V8 compiled in an installation of the user's own, and nowhere that others can write", () => {
    const { dist, root, run } = installation();
    const kept = join(dist, "compile-cache");
    const atHome = join(root, "home", ".cache");
    chmodSync(dist, 0o775);
    chmodSync(join(root, "home"), 0o777);
    expect(run("--version")).toMatchObject({ status: 0, stderr: "" });
    expect([existsSync(kept), existsSync(atHome)]).toEqual([false, false]);
    chmodSync(join(root, "home"), 0o755);
    mkdirSync(atHome);
    chmodSync(atHome, 0o775);
    expect(run("--version").status).toBe(0);
    expect(readdirSync(atHome)).toEqual([]);
    rmSync(atHome, { recursive: true });
    expect(run("--version").status).toBe(0);
    expect([existsSync(kept), readdirSync(join(atHome, "mtjobs", "compile-cache")).length]).toEqual([
      false,
      1,
    ]);
    chmodSync(dist, 0o755);
    expect(run("--version").status).toBe(0);
    expect(readdirSync(kept)).toHaveLength(1);
  });

  it("does without a place that is a link", () => {
    const { dist, root, run } = installation();
    mkdirSync(join(root, "elsewhere"));
    symlinkSync(join(root, "elsewhere"), join(dist, "compile-cache"));
    expect(run("--version")).toMatchObject({ status: 0, stderr: "" });
    expect(readdirSync(join(root, "elsewhere"))).toEqual([]);
  });
});
