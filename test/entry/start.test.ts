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
import { temporaryDirectory } from "../support/area.ts";
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
  it.skipIf(!canTrace())("opens at most a dozen files of the installation (needs strace)", () => {
    const { root, dist, env, command } = installation();
    for (const args of [["--version"], ["status", "--help"], ["reduce", "--help"]]) {
      const log = join(root, "opened");
      const traced = ["-f", "-e", "trace=openat", "-o", log, process.execPath, command, ...args];
      spawnSync("strace", traced, { env: { ...env, NODE_DISABLE_COMPILE_CACHE: "1" } });
      const opened = readFileSync(log, "utf8")
        .split("\n")
        .filter((line) => line.includes(`"${dist}`));
      expect(opened.length).toBeGreaterThan(1);
      expect(opened.length).toBeLessThanOrEqual(12);
    }
  });

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
