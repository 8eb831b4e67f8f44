import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import getPort from "get-port";
import type { Redis } from "ioredis";
import { which } from "../../../scripts/command.mjs";
import { waitFor } from "../area/wait-for.ts";
import { queueLibraries } from "./redis.ts";

const binary = ["redis-server", "valkey-server"].map(which).find((path) => path !== undefined);

/** False if the tests' Redis comes from a URL or a container and none can be started here. */
export const canStartServer = binary !== undefined;

/** A private Redis for faults that must not affect the shared one. */
export interface OwnServer {
  /** Kills it without saving. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Restarts it, empty, on the same port. */
  restart(): Promise<void>;
  /** Sends SIGSTOP or SIGCONT: connected but silent. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
}

/** Runs `body` with a private server; needs `redis-server` (or `valkey-server`) on the PATH. */
export async function withServer(
  flags: string[],
  body: (url: string, server: OwnServer) => Promise<void>,
  password = "",
): Promise<void> {
  const { connectRedis } = await queueLibraries();
  const directory = mkdtempSync(join(tmpdir(), "mtjobs-redis-"));
  const port = await getPort({ host: "127.0.0.1" });
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const start = async () => {
    const fixed = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory];
    child = spawn(binary ?? "redis-server", [...fixed, ...flags], { stdio: "ignore" });
    child.on("error", () => {});
    await waitFor("redis-server to answer", async () => {
      try {
        (await connectRedis(`redis://:${password}@127.0.0.1:${port}`)).disconnect();
        return true;
      } catch {
        return false;
      }
    });
  };
  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => running.once("exit", () => resolve()));
    running.kill(signal);
    await gone;
  };
  try {
    await start();
    await body(url, {
      kill,
      restart: async () => {
        await kill();
        await start();
      },
      signal: (signal) => child?.kill(signal),
    });
  } finally {
    await kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Makes the server refuse writes with MISCONF, as with a full disk. Returns a function that ends that. */
export async function refuseWrites(redis: Redis): Promise<() => Promise<void>> {
  const [, directory = ""] = (await redis.config("GET", "dir")) as string[];
  rmSync(directory, { recursive: true });
  await redis.config("SET", "save", "3600 1");
  await redis.bgsave();
  await waitFor("the save to fail", async () =>
    (await redis.info("persistence")).includes("rdb_last_bgsave_status:err"),
  );
  return async () => {
    await redis.config("SET", "save", "");
  };
}
