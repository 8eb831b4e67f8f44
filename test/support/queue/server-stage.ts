import { afterAll, beforeAll } from "vitest";
import { waitFor } from "../area/wait-for.ts";
import { QueueStage } from "./queue-stage.ts";
import { queueLibraries, testPrefix, testRedisUrl } from "./redis.ts";
import { type Running, startCommand } from "./run-command.ts";

/** A started `mtjobs serve`. */
export interface RunningServer extends Running {
  url: string;
}

/** What came back. `body` is the parsed JSON, or the text where it is none. */
export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into documents of many kinds
  body: any;
}

/** Starts the built server on a free port of loopback, and waits until it serves. */
export async function startServer(
  env: Record<string, string>,
  args: string[] = [],
  user: { uid?: number; gid?: number } = {},
): Promise<RunningServer> {
  const running = startCommand(["serve", "--listen", "127.0.0.1:0", ...args], { env, ...user });
  const url = await waitFor(
    "the server to serve",
    () => /serving (http:[^"]+)"/.exec(running.stderr())?.[1],
    {
      state: () => running.stderr(),
    },
  );
  return { ...running, url };
}

/** One request; an object as `body` goes as JSON. */
export async function ask(
  url: string,
  init: Omit<RequestInit, "body" | "headers"> & { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { body, ...rest } = init;
  const json = typeof body === "object" ? { body: JSON.stringify(body) } : {};
  const headers = {
    ...(typeof body === "object" ? { "content-type": "application/json" } : {}),
    ...rest.headers,
  };
  const plain = typeof body === "string" ? { body } : {};
  const response = await fetch(url, { redirect: "manual", ...rest, ...plain, ...json, headers });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

/** A queue stage and one server over it, for all tests of a file. */
export interface ServerStage {
  readonly stage: QueueStage;
  readonly server: RunningServer;
  /** `METHOD /path`, with a body. */
  call: (line: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;
}

/** Opens a stage and a server before the file's tests, and ends both afterwards. */
export function withServerStage(
  options: { env?: Record<string, string>; args?: string[] } = {},
): ServerStage {
  let stage: QueueStage | undefined;
  let server: RunningServer | undefined;
  beforeAll(async () => {
    const { connectRedis, openQueue } = await queueLibraries();
    const url = testRedisUrl();
    stage = new QueueStage(await connectRedis(url), testPrefix(), url, openQueue);
    server = await startServer({ ...serverEnv(stage), ...options.env }, options.args);
  });
  afterAll(async () => {
    server?.child.kill("SIGTERM");
    await server?.finished;
    await stage?.strike();
    const keys = (await stage?.redis.keys(`${stage.prefix}:*`)) ?? [];
    if (keys.length > 0) await stage?.redis.del(keys);
    stage?.redis.disconnect();
  });
  return {
    get stage() {
      if (stage === undefined) throw new Error("only within tests");
      return stage;
    },
    get server() {
      if (server === undefined) throw new Error("only within tests");
      return server;
    },
    call(line, body, headers = {}) {
      const [method = "", path = ""] = line.split(" ");
      return ask(`${server?.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    },
  };
}

/** The environment of a server over a stage. */
export function serverEnv(stage: QueueStage): Record<string, string> {
  return {
    MTJOBS_REDIS_URL: stage.url,
    MTJOBS_PREFIX: stage.prefix,
    MTJOBS_HOST: "hosta",
    MTJOBS_AREAS: stage.root,
  };
}
